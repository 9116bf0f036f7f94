/** @typedef {{ view: 'operations' | 'operation' | 'trace', query: URLSearchParams, id: string }} Route */

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
  if (head === 'trace' && /^[0-9a-f]{32}$/i.test(id)) return { view: 'trace', query, id: id.toLowerCase() }
  return { view: 'operations', query, id: '' }
}

/**
 * @param {string} service
 * @param {string} operation
 * @returns {string}
 */
export const operationUrl = (service, operation) => `#/operation?${String(new URLSearchParams({ service, operation }))}`

/** @param {string} id */
export const traceUrl = (id) => `#/trace/${id}`
