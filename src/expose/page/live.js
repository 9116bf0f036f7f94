const EVERY_MS = 5_000
const RETRY_MS_MAX = 60_000

/** @typedef {'live' | 'lost' | 'still'} LiveState */

/**
 * Asks a URL again and again while someone looks, and hands on only answers that differ from the last.
 * @template T
 * @param {() => string} url
 * @param {{ data: (answer: T) => void, missing?: () => void, state: (state: LiveState) => void }} on
 * @returns {{ stop: () => void, now: () => void }}
 */
export function live(url, on) {
  let etag = ''
  let last = ''
  let failures = 0
  let stopped = false
  /** @type {number | undefined} */
  let timer
  /** @type {AbortController | undefined} */
  let asking

  async function ask() {
    clearTimeout(timer)
    asking?.abort()
    const mine = (asking = new AbortController())
    try {
      const answer = await fetch(url(), { headers: { 'if-none-match': etag }, cache: 'no-store', signal: mine.signal })
      if (answer.status === 404 && on.missing !== undefined) on.missing()
      else if (answer.status !== 304) await take(answer)
      failures = 0
      on.state('live')
    } catch {
      if (mine.signal.aborted) return
      failures += 1
      on.state('lost')
    }
    if (!stopped && !document.hidden) timer = setTimeout(ask, Math.min(RETRY_MS_MAX, EVERY_MS * 2 ** failures))
  }

  /** @param {Response} answer */
  async function take(answer) {
    if (!answer.ok) throw new Error(String(answer.status))
    const text = await answer.text()
    etag = answer.headers.get('etag') ?? ''
    if (text === last || stopped) return
    last = text
    on.data(JSON.parse(text))
  }

  function seen() {
    if (document.hidden) {
      clearTimeout(timer)
      on.state('still')
    } else void ask()
  }

  document.addEventListener('visibilitychange', seen)
  void ask()
  return {
    stop() {
      stopped = true
      clearTimeout(timer)
      asking?.abort()
      document.removeEventListener('visibilitychange', seen)
    },
    now() {
      etag = ''
      last = ''
      void ask()
    }
  }
}
