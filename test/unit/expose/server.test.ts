import { once } from 'node:events'
import { get, request, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { afterEach, expect, test } from '@jest/globals'
import { draftTables } from '../../builders/tail-tables.ts'
import { testExposer, type ExposerOptions, type TestExposer } from './exposer.ts'
import { valueOf } from './parse-exposition.ts'

let open: TestExposer | undefined
afterEach(async () => {
  await open?.exposer.close(0)
  open = undefined
})

function start(options: ExposerOptions = {}): TestExposer {
  return (open = testExposer(options))
}

/** More than the sockets between us hold, so that a reader who does not read is waited for. */
function startLong(settings: ExposerOptions['settings'] = {}): TestExposer {
  const draft = draftTables(2001)
  for (let i = 0; i < 2000; i++) draft.addOperation('shop', `operation number ${i} with a name of some length`)
  return start({ draft, settings })
}

/** Asks for /metrics and reads nothing of the answer. */
async function askOnly(port: number): Promise<IncomingMessage> {
  const asked = get({ port, path: '/metrics', agent: false })
  asked.on('error', () => undefined)
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  answer.on('error', () => undefined)
  return answer
}

async function bodyOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

test('gzip is used when asked for, and what it holds is the exposition', async () => {
  const { exposer } = start()
  const plain = await exposer.app.inject({ url: '/metrics' })
  const gzipped = await exposer.app.inject({ url: '/metrics', headers: { 'accept-encoding': 'gzip' } })
  expect(plain.headers['content-encoding']).toBeUndefined()
  expect(gzipped.headers['content-encoding']).toBe('gzip')
  expect(gzipped.headers['vary']).toBe('accept, accept-encoding')
  const names = (text: string): Set<string> => new Set(text.match(/^tail_\w+/gm))
  expect(names(gunzipSync(gzipped.rawPayload).toString())).toEqual(names(plain.payload))
})

test('HEAD gets the headers of GET and no body, and counts as no scrape', async () => {
  const { exposer } = start()
  const answer = await exposer.app.inject({ url: '/metrics', method: 'HEAD' })
  expect(answer.statusCode).toBe(200)
  expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(answer.payload).toBe('')
  expect(exposer.counters.get('tail_scrapes_total')).toBe(0)
})

test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const)('%s is refused on every path', async (method) => {
  const { exposer } = start()
  for (const url of ['/metrics', '/', '/nowhere']) {
    const answer = await exposer.app.inject({ url, method })
    expect(answer.statusCode).toBe(405)
    expect(answer.headers['allow']).toBe('GET, HEAD')
    expect(answer.json()).toEqual({ error: 'this port only answers GET and HEAD' })
  }
})

test('every answer tells browsers to trust nothing in it', async () => {
  const { exposer } = start()
  for (const url of ['/', '/metrics', '/healthz', '/nowhere', '/api/v1/operations']) {
    const { headers } = await exposer.app.inject({ url })
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(headers['cache-control']).toBe(url === '/' ? 'no-cache' : 'no-store')
  }
})

test('more scrapes than scrapes_max at once get 503, and their places are free again afterwards', async () => {
  const { exposer } = startLong({ scrapesMax: 2 })
  const { port } = await exposer.listen()
  const slow = [await askOnly(port), await askOnly(port)]
  const third = await askOnly(port)
  expect(third.statusCode).toBe(503)
  expect(third.headers['retry-after']).toBe('1')
  expect(third.headers['content-type']).toContain('application/json')
  expect(JSON.parse(await bodyOf(third))).toEqual({ error: '2 scrapes are under way (scrapes_max)' })
  expect(exposer.counters.get('tail_scrapes_refused_total')).toBe(1)
  await Promise.all(slow.map(bodyOf))
  const fourth = await askOnly(port)
  expect(fourth.statusCode).toBe(200)
  await bodyOf(fourth)
})

test('a reader that never reads is cut off after scrape_timeout', async () => {
  const { exposer } = startLong({ scrapeTimeoutMs: 50 })
  const { port } = await exposer.listen()
  const answer = await askOnly(port)
  const closed = new Promise((resolve) => answer.once('close', resolve))
  while (exposer.counters.get('tail_scrapes_cut_total', 0) === 0)
    await new Promise((resolve) => setTimeout(resolve, 10))
  answer.resume()
  await closed
  expect(answer.complete).toBe(false)
})

test('a reader that leaves half-way is counted, and its place is free', async () => {
  const { exposer } = startLong({ scrapesMax: 1 })
  const { port } = await exposer.listen()
  const answer = await askOnly(port)
  answer.destroy()
  while (exposer.counters.get('tail_scrapes_cut_total', 1) === 0) await new Promise((resolve) => setImmediate(resolve))
  expect((await askOnly(port)).statusCode).toBe(200)
})

test('what is not HTTP gets 400 in JSON and a closed connection', async () => {
  const { exposer } = start()
  const { port } = await exposer.listen()
  const socket = connect(port, '127.0.0.1')
  socket.write('\u0016\u0003\u0001 hello\r\n\r\n')
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  expect(answer).toMatch(/^HTTP\/1\.1 400 /)
  expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toEqual({ error: 'this is not HTTP' })
})

test('a fault in a source is a small 500 and a line in the log', async () => {
  const fails = (): never => {
    throw new Error('secret path')
  }
  const { exposer, logged } = start({ sources: { operations: fails, memory: fails } })
  for (const url of ['/api/v1/operations', '/metrics']) {
    const answer = await exposer.app.inject({ url, headers: { 'accept-encoding': 'gzip' } })
    expect(answer.statusCode).toBe(500)
    expect(answer.headers['content-encoding']).toBeUndefined()
    expect(answer.json()).toEqual({ error: 'internal error' })
    expect(answer.headers['content-type']).toContain('application/json')
  }
  expect(logged).toHaveLength(2)
  expect(exposer.counters.get('tail_scrapes_total')).toBe(0)
  expect(exposer.counters.get('tail_scrapes_cut_total', 2)).toBe(1)
})

test('a fault in the middle of a scrape breaks the answer off: half an exposition never looks whole', async () => {
  const { exposer, draft, logged } = startLong()
  const { port } = await exposer.listen()
  draft.operations.thresholdNs = undefined as never
  const answer = await askOnly(port)
  await expect(bodyOf(answer)).rejects.toThrow('aborted')
  expect(logged).toHaveLength(1)
  expect(exposer.counters.get('tail_scrapes_cut_total', 2)).toBe(1)
})

test('readiness follows the source until it drains; health does not', async () => {
  let ready = false
  const { exposer, clock } = start({ sources: { ready: () => ready } })
  const status = async (url: string): Promise<number> => (await exposer.app.inject({ url })).statusCode
  expect(await status('/readyz')).toBe(503)
  ready = true
  expect(await status('/readyz')).toBe(200)
  exposer.drain()
  expect(await status('/readyz')).toBe(503)
  clock.nowMs = 90_500
  const health = await exposer.app.inject({ url: '/healthz' })
  expect(health.json()).toEqual({ status: 'ok', version: '1.2.3', uptime_seconds: 90.5, refusing: [], warnings: [] })
})

test('closing waits for one more scrape when there ever was one, and that scrape tells the truth', async () => {
  const { exposer, draft, clock } = start()
  const { port } = await exposer.listen()
  const scrape = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  await scrape()
  const row = draft.addOperation('shop', 'late', clock.nowMs)
  draft.operations.partial[row] = 3
  let closed = false
  const closing = exposer.close(60_000).then(() => {
    closed = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(closed).toBe(false)
  expect(valueOf(await scrape(), 'tail_requests_partial_total', { operation: 'late' })).toBe(3)
  await closing
  await expect(scrape()).rejects.toThrow()
})

test('closing waits for nobody when nobody ever scraped', async () => {
  const { exposer } = start()
  await exposer.listen()
  await exposer.close(3_600_000)
})

test('closing gives up on a scraper that does not come back', async () => {
  const { exposer } = start()
  await exposer.app.inject({ url: '/metrics' })
  await exposer.close(20)
})

test('one open answer after another on one connection', async () => {
  const { exposer } = start()
  const { port } = await exposer.listen()
  for (let i = 0; i < 3; i++) {
    const asked = request({ port, path: '/metrics', headers: { connection: 'keep-alive' } }).end()
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    await bodyOf(answer)
  }
  expect(exposer.counters.get('tail_scrapes_total')).toBe(3)
})
