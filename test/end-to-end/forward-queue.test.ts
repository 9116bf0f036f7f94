import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { type LiveService, pause, scrapeUntil, type SettingsFile, startService } from '../builders/live-service.ts'
import { bytesField, fixed64Field, numberField, textField } from '../builders/protobuf-bytes.ts'
import { type Backend, httpBackend } from '../builders/otlp-backends.ts'

// Starts processes, on machines that may be busy.
jest.setTimeout(120_000)

const MARK = /n=(\d{6})/g
const SPANS_A_BODY = 20

const open: (() => unknown)[] = []
let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tailspan-'))
})
afterEach(async () => {
  for (const close of open.splice(0)) await close()
  rmSync(directory, { recursive: true })
})

/** Where nobody listens now, and somebody may later. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

const settings = (port: number, workers: number, enrich: readonly string[]): SettingsFile => ({
  workers,
  durability: 'batch',
  segment_log: { directory },
  assemble: { quiet_time: '300ms' },
  expose: { zero_first: '0s' },
  shutdown: { last_scrape_wait: '0s' },
  forward: {
    enrich,
    batch_delay: '2s',
    drain_timeout: '0s',
    destinations: [
      { name: 'backend', endpoint: `http://127.0.0.1:${port}`, retry: { initial: '100ms', max: '500ms' } },
      { name: 'backup', endpoint: `http://127.0.0.1:${port}/backup`, retry: { initial: '100ms', max: '500ms' } }
    ]
  }
})

let issued = 0
/** Spans with numbers that never repeat, each a trace of its own. */
function body(): Buffer {
  const spans = Array.from({ length: SPANS_A_BODY }, () => {
    const number = ++issued
    const traceId = Buffer.alloc(16)
    traceId.writeUInt32BE(number, 12)
    const endNs = BigInt(Date.now()) * 1_000_000n
    const span = [
      bytesField(1, traceId),
      bytesField(2, traceId.subarray(8)),
      // The trace state, in which anything may be.
      textField(3, `n=${String(number).padStart(6, '0')}`),
      textField(5, 'work'),
      numberField(6, 2),
      fixed64Field(7, endNs - 5_000_000n),
      fixed64Field(8, endNs)
    ]
    return bytesField(2, Buffer.concat(span))
  })
  return bytesField(1, bytesField(2, Buffer.concat(spans)))
}

async function send({ http }: LiveService, bodies: number): Promise<void> {
  for (let i = 0; i < bodies; i++) {
    const answer = await fetch(`http://${http}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: new Uint8Array(body())
    })
    expect(answer.status).toBe(200)
  }
}

/** How often each span arrived, by the path it was sent to. */
function arrivals({ received }: Backend, path: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const one of received) {
    if (one.headers[':path'] !== path) continue
    for (const [name] of one.body.toString('latin1').matchAll(MARK)) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

async function arrived(backend: Backend, path: string): Promise<Map<string, number>> {
  const endMs = performance.now() + 30_000
  while (arrivals(backend, path).size < issued && performance.now() < endMs) await pause(100)
  return arrivals(backend, path)
}

// Scenario: destinations are down; the service is killed three times, before and after traces are counted and scraped.
// Guarantees: every acknowledged span arrives; what was scraped and passed on before the kill arrives once.
test.each([
  ['enriched', 1, ['phases', 'band']],
  ['as they came', 1, []],
  ['enriched by two workers', 2, ['phases', 'band']],
  ['as they came to two workers', 2, []]
])('every acknowledged span reaches destinations that were down, over SIGKILLs: %s', async (_how, workers, enrich) => {
  issued = 0
  const port = await freePort()
  const file = settings(port, workers, enrich)

  // Counted, scraped and passed on: in the queue, and in no replay.
  let service = await startService(file)
  open.push(() => service.kill())
  await send(service, 10)
  const settled = issued
  const shown = await scrapeUntil(service, (scrape) => scrape.sum('tail_requests_total') === settled)
  const before = shown.sum('tail_log_checkpoints_total')
  const after = await scrapeUntil(service, (scrape) => scrape.sum('tail_log_checkpoints_total') > before)
  expect(after.sum('tail_requests_total')).toBe(settled)
  expect(after.sum('tail_forward_queue_disk_bytes', { destination: 'backend' })).toBeGreaterThan(0)
  await service.kill()

  // Killed at once: in the log, and in the queue or not.
  service = await startService(file)
  expect((await service.scrape()).sum('tail_forward_queue_found_spans_total')).toBe(2 * settled)
  await send(service, 10)
  await service.kill()

  // Killed between.
  service = await startService(file)
  await send(service, 10)
  await pause(600)
  await service.kill()

  service = await startService(file)
  const backend = await httpBackend([{ status: 200 }], undefined, port)
  open.push(() => backend.close())
  for (const path of ['/v1/traces', '/backup']) {
    const counts = await arrived(backend, path)
    expect(counts.size).toBe(issued)
    const twice = [...counts].filter(([, times]) => times > 1).map(([name]) => Number(name))
    expect(twice.filter((number) => number <= settled)).toEqual([])
    // Once for each of the lives it was taken or read again in.
    expect(Math.max(...counts.values())).toBeLessThanOrEqual(3)
  }
  expect((await service.scrape()).sum('tail_forward_spans_total', { result: 'lost' })).toBe(0)
  await service.stop()
})

// Scenario: the service is stopped by SIGTERM while traces are open, and started again with another number of workers.
// Guarantees: what was open is counted by the next process, once; what is passed on arrives once.
test.each([
  [1, 2],
  [2, 1]
])('over SIGTERM what is open is with the next process (%i workers, then %i)', async (before, after) => {
  issued = 0
  const backend = await httpBackend([{ status: 200 }])
  open.push(() => backend.close())
  const file = (workers: number): SettingsFile => ({
    ...settings(Number(new URL(backend.endpoint).port), workers, ['band']),
    assemble: { quiet_time: '3s' }
  })
  const first = await startService(file(before))
  open.push(() => first.kill())
  await send(first, 10)
  expect(await first.stop()).toBe(0)
  const second = await startService(file(after))
  open.push(() => second.kill())
  await send(second, 5)
  const shown = await scrapeUntil(second, (scrape) => scrape.sum('tail_requests_total') === issued)
  expect(shown.sum('tail_requests_total')).toBe(issued)
  const counts = await arrived(backend, '/v1/traces')
  expect([counts.size, Math.max(...counts.values())]).toEqual([issued, 1])
  expect(await second.stop()).toBe(0)
})
