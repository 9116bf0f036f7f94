/** @typedef {{ view: 'operations' | 'operation' | 'compare' | 'trace', query: URLSearchParams, id: string }} Route */

/**
 * Every view has a URL of its own; after the hash, so that the page works below any path of a proxy.
 * @param {string} hash
 * @returns {Route}
 */
export function routeOf(hash) {
  const [path = '', text = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s)
  const query = new URLSearchParams(text)
  const [head, id = ''] = path.split('/')
  if (head === 'operation') return { view: 'operation', query, id: '' }
  if (head === 'compare') return { view: 'compare', query, id: '' }
  if (head === 'trace' && /^[0-9a-f]{32}$/i.test(id)) return { view: 'trace', query, id: id.toLowerCase() }
  return { view: 'operations', query, id: '' }
}

/**
 * @param {string} service
 * @param {string} operation
 * @returns {string}
 */
export const operationUrl = (service, operation) => `#/operation?${String(new URLSearchParams({ service, operation }))}`

/**
 * Two stretches of `minutes` each, `before` minutes apart; without an end up to now.
 * @param {{ service: string, operation: string, minutes: number, before: number, end?: number }} of
 * @returns {string}
 */
export function compareUrl({ service, operation, minutes, before, end }) {
  const query = { service, operation, minutes: String(minutes), before: String(before) }
  return `#/compare?${String(new URLSearchParams({ ...query, ...(end !== undefined && { end: String(end) }) }))}`
}

/** @param {string} id */
export const traceUrl = (id) => `#/trace/${id}`
