import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, jest, test } from '@jest/globals'
import { startTailspan, tailspan } from '../builders/command.ts'
import { pause, scrapeUntil, startService, type LiveService } from '../builders/live-service.ts'
import { requestJson, requestProtobuf, type ShopRequest, shopRequests } from '../builders/shop-requests.ts'

// Each test starts processes, on machines that may be busy.
jest.setTimeout(60_000)

const settings = {
  assemble: { quiet_time: '300ms' },
  expose: { zero_first: '0s' },
  shutdown: { last_scrape_wait: '5s' }
}

async function post(service: Pick<LiveService, 'http'>, body: string | Uint8Array): Promise<Response> {
  const type = typeof body === 'string' ? 'application/json' : 'application/x-protobuf'
  return fetch(`http://${service.http}/v1/traces`, { method: 'POST', headers: { 'content-type': type }, body })
}

const LOOKUP_SECONDS = 0.004
let lookupsSent = 0

/** A request each, which looks something up in a span that nobody knows. */
function lookups(traces: number): ShopRequest {
  const spans = Array.from({ length: traces }, () => {
    const number = ++lookupsSent
    const startMs = 1_700_000_000_000 + 20 * number
    const span = (name: string, kind: number, offsetMs: number, ms: number) => ({
      traceId: number.toString(16).padStart(32, '0'),
      name,
      kind,
      startTimeUnixNano: `${startMs + offsetMs}000000`,
      endTimeUnixNano: `${startMs + offsetMs + ms}000000`
    })
    const spanId = '0000000000000001'
    return [
      { ...span('GET /', 2, 0, 10), spanId },
      { ...span('lookup', 1, 2, 1e3 * LOOKUP_SECONDS), spanId: '0000000000000002', parentSpanId: spanId }
    ]
  })
  return { service: 'shop', spans: spans.flat() }
}

async function until(done: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000
  while (!done() && performance.now() < endMs) await pause(20)
}

test('what is sent as JSON and as protobuf is counted on /metrics, and SIGTERM ends with 0', async () => {
  const service = await startService(settings)
  try {
    const requests = shopRequests({ traces: 400 })
    const half = requests.length / 2
    for (const request of requests.slice(0, half)) {
      const answer = await post(service, JSON.stringify(requestJson(request)))
      expect([answer.status, await answer.text()]).toEqual([200, '{}'])
    }
    expect((await post(service, requestProtobuf(...requests.slice(half)))).status).toBe(200)
    const labels = { service_name: 'pricing', operation: 'GET /price' }
    const exposition = await scrapeUntil(service, ({ sum }) => sum('tail_requests_total', labels) === 400, {
      everyMs: 100,
      forMs: 15_000
    })
    expect(exposition.sum('tail_spans_received_total')).toBe(1600)
    expect(exposition.sum('tail_requests_total', labels)).toBe(400)
    expect(exposition.sum('tail_requests_total', { service_name: 'gateway' })).toBe(400)
    expect((await fetch(`http://${service.metrics}/readyz`)).status).toBe(200)
  } finally {
    const stopping = service.stop()
    await until(() => service.output().includes('closing'))
    // The scrape that it waits for.
    await service.scrape().catch(() => undefined)
    expect(await stopping).toBe(0)
  }
})

test('SIGTERM counts the traces that are still open and answers the last scrape with them', async () => {
  const service = await startService({ ...settings, assemble: { quiet_time: '1h', root_wait: '1h', age_max: '1h' } })
  await service.scrape()
  await post(service, JSON.stringify(requestJson(...shopRequests({ traces: 10 }))))
  const stopping = service.stop()
  await until(() => service.output().includes('closing'))
  const ready = await fetch(`http://${service.metrics}/readyz`)
  const last = await service.scrape()
  expect(ready.status).toBe(503)
  expect(last.sum('tail_traces_closed_total', { reason: 'shutdown' })).toBe(10)
  expect(last.sum('tail_requests_total', { service_name: 'gateway' })).toBe(10)
  expect(await stopping).toBe(0)
})

test('a second signal ends the service at once', async () => {
  const service = await startService({ ...settings, shutdown: { last_scrape_wait: '1h' } })
  await service.scrape()
  const stopping = service.stop()
  await until(() => service.output().includes('closing'))
  process.kill(service.pid, 'SIGTERM')
  expect(await stopping).toBe(143)
})

function settingsFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'tailspan-'))
  folders.push(folder)
  writeFileSync(join(folder, 'settings.yaml'), text)
  return join(folder, 'settings.yaml')
}

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

test('own spans go where OTEL_EXPORTER_OTLP_ENDPOINT says, and are counted there', async () => {
  const watching = await startService(settings)
  const file = settingsFile('accept: { grpc_port: 0, http_port: 0 }\nexpose: { port: 0 }\n')
  const watched = startTailspan(['serve', '--config', file], { OTEL_EXPORTER_OTLP_ENDPOINT: `http://${watching.grpc}` })
  const [, http = ''] = await watched.says(/otlp_http=(\S+)/)
  await watched.says(/own spans go to/)
  await post({ http }, JSON.stringify(requestJson(...shopRequests({ traces: 10 }))))
  expect(await watched.stop()).toBe(0)
  const ofAccept = { service_name: 'tailspan', operation: 'accept traces' }
  const seen = await scrapeUntil(watching, ({ sum }) => sum('tail_requests_total', ofAccept) > 0, {
    everyMs: 100,
    forMs: 15_000
  })
  expect(seen.sum('tail_requests_total', ofAccept)).toBe(1)
  expect(await watching.stop()).toBe(0)
})

test('own spans stay off when their endpoint is the service itself', async () => {
  const free = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => free.once('listening', resolve))
  const { port } = free.address() as AddressInfo
  await new Promise((resolve) => free.close(resolve))
  const file = settingsFile(`accept: { grpc_port: ${port}, http_port: 0 }\nexpose: { port: 0 }\n`)
  const service = startTailspan(['serve', '--config', file], {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${port}`
  })
  await service.says(/own spans/)
  expect(service.output()).toContain(`own spans stay off: http://localhost:${port} is this process itself`)
  expect(await service.stop()).toBe(0)
})

test('SIGHUP puts the rules of the settings file in force, and refuses bad ones with every problem', async () => {
  const head =
    'accept: { grpc_port: 0, http_port: 0 }\nexpose: { port: 0, zero_first: 0s }\nassemble: { quiet_time: 300ms }\n'
  const rule = (phase: string): string =>
    `${head}rules:\n  - { name: lookup, span: lookup, kind: internal, phase: ${phase} }\n`
  const file = settingsFile(head)
  const service = await startService(file)
  const reload = async (text: string, said: string): Promise<void> => {
    const before = service.output().length
    writeFileSync(file, text)
    process.kill(service.pid, 'SIGHUP')
    await until(() => service.output().slice(before).includes(said))
    expect(service.output().slice(before)).toContain(said)
  }
  const seconds = async (phase: string, traces: number): Promise<number> => {
    const body = JSON.stringify(requestJson(lookups(traces)))
    const counted = (await service.scrape()).sum('tail_requests_total')
    expect((await post(service, body)).status).toBe(200)
    const before = (await service.scrape()).sum('tail_phase_seconds_total', { phase })
    const seen = await scrapeUntil(service, ({ sum }) => sum('tail_requests_total') === counted + traces, {
      everyMs: 50,
      forMs: 15_000
    })
    return seen.sum('tail_phase_seconds_total', { phase }) - before
  }
  expect(await seconds('queue_wait', 3)).toBe(0)
  await reload(rule('queue_wait'), '"rules":1,"budgets":0,"needsRestart":[]')
  expect(await seconds('queue_wait', 3)).toBeCloseTo(3 * LOOKUP_SECONDS, 9)
  await reload(`${rule('nonsense')}  - { name: other, field: f, phase: gc }\n`, 'settings not reloaded')
  expect(service.output()).toMatch(/rules\[0\]\.phase: .*rules\[1\]\.field: it needs a unit/)
  expect(await seconds('queue_wait', 3)).toBeCloseTo(3 * LOOKUP_SECONDS, 9)
  await reload(`${rule('gc')}alerting: { job: tail }\n`, '"budgets":0,"needsRestart":[]')
  expect(await seconds('gc', 3)).toBeCloseTo(3 * LOOKUP_SECONDS, 9)
  const exposition = await service.scrape()
  expect(exposition.sum('tail_settings_reloads_total', { result: 'ok' })).toBe(2)
  expect(exposition.sum('tail_settings_reloads_total', { result: 'refused' })).toBe(1)
  expect(await service.stop()).toBe(0)
})

test('SIGHUP puts other budgets in force: counters of unchanged targets go on, changed ones begin anew', async () => {
  const file = settingsFile(withBudgets('{ service: pricing, p95: 30ms, p99: 250ms }'))
  const service = await startService(file)
  const send = async (traces: number): Promise<void> => {
    const counted = (await service.scrape()).sum('tail_requests_total', { service_name: 'pricing' })
    await post(service, JSON.stringify(requestJson(...shopRequests({ traces, seed: counted + 1 }))))
    const all = { service_name: 'pricing', operation: 'GET /price' }
    await scrapeUntil(service, ({ sum }) => sum('tail_requests_total', all) === counted + traces, {
      everyMs: 50,
      forMs: 15_000
    })
  }
  const budgeted = async (budget: string): Promise<number> =>
    (await service.scrape()).sum('tail_budget_requests_total', { service_name: 'pricing', budget })
  await send(40)
  expect([await budgeted('p95'), await budgeted('p99')]).toEqual([40, 40])
  writeFileSync(file, withBudgets('{ service: pricing, p95: 20ms, p99: 250ms }'))
  process.kill(service.pid, 'SIGHUP')
  await until(() => service.output().includes('"budgets":1,"needsRestart":[]'))
  await send(10)
  expect([await budgeted('p95'), await budgeted('p99')]).toEqual([10, 50])
  const exposition = await service.scrape()
  const { sum } = exposition
  expect(sum('tail_budget_threshold_seconds', { budget: 'p95' })).toBe(0.02)
  expect(sum('tail_budget_allowed_ratio', { budget: 'p99' })).toBe(0.01)
  const ofPricing = { service_name: 'pricing', operation: 'GET /price' }
  const p99Seconds = sum('tail_budget_phase_seconds_total', { ...ofPricing, budget: 'p99' })
  expect(p99Seconds).toBeCloseTo(sum('tail_request_duration_seconds_sum', ofPricing), 9)
  writeFileSync(file, withBudgets('{ service: pricing, p98: 20ms }'))
  process.kill(service.pid, 'SIGHUP')
  await until(() => service.output().includes('budgets[0].p98: unknown key'))
  expect(await budgeted('p99')).toBe(50)
  expect(await service.stop()).toBe(0)
})

const withBudgets = (entry: string): string =>
  `accept: { grpc_port: 0, http_port: 0 }\nexpose: { port: 0, zero_first: 0s }\nassemble: { quiet_time: 300ms }\nbudgets:\n  - ${entry}\n`

test('a budget that can never count is warned of at the start, and shows 0 operations', async () => {
  const service = await startService(settingsFile(withBudgets('{ service: shop, operation: GET /users/42, p99: 1s }')))
  await until(() => service.output().includes('budgets[0]'))
  expect(service.output()).toContain('say \\"GET /users/{id}\\"')
  const { sum } = await service.scrape()
  expect(sum('tail_budget_operations', { service_pattern: 'shop', operation_pattern: 'GET /users/42' })).toBe(0)
  expect(await service.stop()).toBe(0)
})

test('budgets are suggested from a running service as from a file of the same traffic', async () => {
  const service = await startService(settings)
  const requests = shopRequests({ traces: 400 })
  await post(service, JSON.stringify(requestJson(...requests)))
  await scrapeUntil(service, ({ sum }) => sum('tail_requests_total', { service_name: 'pricing' }) === 400, {
    everyMs: 100,
    forMs: 15_000
  })
  const live = await tailspan(['budgets', 'suggest', '--from', `http://${service.metrics}`, '--service', 'pricing'])
  const file = settingsFile(JSON.stringify(requestJson(...requests)))
  const offline = await tailspan(['budgets', 'suggest', '--service', 'pricing', file])
  for (const { code, stdout, stderr } of [live, offline]) {
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const pasted = settingsFile(stdout)
    expect((await tailspan(['check-config', pasted])).stdout).toMatch(
      /1\. service "pricing", operation "GET \/price": p95 within \S+ for all but 5 %; p99 within \S+ for all but 1 %\.\n$/
    )
  }
  expect(await service.stop()).toBe(0)
})

test('SIGHUP changes the level of the log, and keeps the settings when the new ones are wrong', async () => {
  const ports = 'accept: { grpc_port: 0, http_port: 0 }\nexpose: { port: 0 }\n'
  const file = settingsFile(ports)
  const service = await startService(file)
  writeFileSync(file, `${ports}log: { level: debug }\nassemble: { quiet_time: 1s }\n`)
  process.kill(service.pid, 'SIGHUP')
  await until(() => service.output().includes('settings reloaded'))
  expect(service.output()).toContain('"level":"debug","rules":0,"budgets":0,"needsRestart":["assemble"]')
  writeFileSync(file, 'assembel: {}\n')
  process.kill(service.pid, 'SIGHUP')
  await until(() => service.output().includes('settings not reloaded'))
  expect(service.output()).toContain(':1: assembel: unknown key; did you mean assemble?')
  expect(await service.stop()).toBe(0)
})
