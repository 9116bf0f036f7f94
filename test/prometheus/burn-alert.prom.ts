import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { afterEach, expect } from '@jest/globals'
import { startAlerting, type Alerting } from '../builders/alerting.ts'
import { pause, startService } from '../builders/live-service.ts'
import { type ShownAlert } from '../builders/monitoring.ts'
import { createTraffic, keepSending, type CauseName } from '../demo/traffic.ts'
import { testWith } from './prometheus.ts'

const alertingTest = testWith('prometheus', 'prometheus-alertmanager')

/** An hour is a minute. */
const WINDOW_SCALE = 1 / 60
const EVERY_MS = 1_000
const RATE = 150
const HEALTHY_MS = 15_000
const FIRES_MS_MAX = 60_000
const TEST_MS_MAX = 120_000
/** An incident, and not only a tail: far more than the 14.4 % at which a p99 pages. */
const HIT_SHARE = 0.4

let closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.reverse()) await close()
  closers = []
})

/** What the receiver `page` was told. */
async function pager(): Promise<{ url: string; pages: ShownAlert[] }> {
  const pages: ShownAlert[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      pages.push(...(JSON.parse(body) as { alerts: ShownAlert[] }).alerts)
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, pages }
}

/** Gives what breaks the shop from then on. */
function sendTraffic(grpcAddress: string): (cause: CauseName) => void {
  const traffic = createTraffic({ grpcAddress, exportEveryMs: EVERY_MS, seed: 7, hitShare: HIT_SHARE })
  let broken: CauseName | undefined
  const stop = keepSending(traffic, RATE, () => broken)
  closers.push(async () => {
    stop()
    await traffic.shutdown()
  })
  return (cause) => (broken = cause)
}

const isBuyBurning = ({ labels }: ShownAlert): boolean =>
  labels['alertname'] === 'TailBudgetBurnFast' && labels['operation'] === 'GET /buy'

async function untilAlertSays({ alertmanager, prometheus }: Alerting, words: string): Promise<ShownAlert> {
  const endMs = Date.now() + FIRES_MS_MAX
  let shown: ShownAlert | undefined
  while (Date.now() < endMs) {
    shown = (await alertmanager.alerts()).find(isBuyBurning)
    if (shown?.annotations['description']?.includes(words) === true) return shown
    await pause(EVERY_MS)
  }
  const last = shown === undefined ? 'It never fired' : `It says only: ${shown.annotations['description'] ?? ''}`
  throw new Error(`${last}\n${prometheus.complaints()}${alertmanager.complaints()}`)
}

async function until(holds: () => boolean): Promise<void> {
  const endMs = Date.now() + FIRES_MS_MAX
  while (!holds()) {
    if (Date.now() > endMs) throw new Error(`not within ${FIRES_MS_MAX} ms: ${String(holds)}`)
    await pause(EVERY_MS)
  }
}

alertingTest(
  'a queue runs dry, and within a minute the page names the operation, the phase and the culprit; native histograms too',
  async () => {
    const { url, pages } = await pager()
    const service = await startService({
      assemble: { quiet_time: '1s' },
      expose: { zero_first: '0s' },
      explain: { blame_gather: '1s' },
      budgets: [{ service: 'gateway', operation: 'GET *', p99: '60ms' }]
    })
    closers.push(service.stop)
    const common = { target: service.metrics, windowScale: WINDOW_SCALE, everyMs: EVERY_MS }
    const classic = await startAlerting({ ...common, webhookUrl: url })
    closers.push(classic.stop)
    const native = await startAlerting({ ...common, features: ['native-histograms'] })
    closers.push(native.stop)

    const breakShop = sendTraffic(service.grpc)
    await pause(HEALTHY_MS)
    expect((await classic.alertmanager.alerts()).filter(isBuyBurning)).toEqual([])
    breakShop('queue')

    const alert = await untilAlertSays(classic, 'Culprit: queue_wait in inventory POST /reserve')
    expect(alert.labels).toEqual({
      alertname: 'TailBudgetBurnFast',
      severity: 'critical',
      service_name: 'gateway',
      operation: 'GET /buy',
      budget: 'p99'
    })
    expect(alert.receivers).toEqual([{ name: 'page' }])
    expect(alert.annotations['summary']).toMatch(
      /^gateway GET \/buy is far over its budget p99: [\d.]+% of its requests took longer than 60ms\.$/
    )
    expect(alert.annotations['description']).toMatch(
      /^In the last minute [\d.]+% of its \d+ requests took longer than 60ms; only 1% may\. /
    )
    expect(alert.annotations['description']).toMatch(
      /The slow ones took [\d.]+ms on average; normal is [\d.]+ms, the mean (one minute ago|of the faster half now)\./
    )
    expect(alert.annotations['description']).toMatch(/What has grown most is their downstream: [\d.]+% of the time/)
    expect(alert.annotations['page_url']).toBe(
      `http://${service.metrics}/#/operation?service=gateway&operation=GET+%2Fbuy`
    )
    await until(() => pages.some(isBuyBurning))

    await untilAlertSays(native, 'Culprit: queue_wait in inventory POST /reserve')
    const p99 = 'operation:tail_request_duration_seconds:p99_1h{operation="GET /buy"}'
    for (const { prometheus } of [classic, native]) {
      const [found] = await prometheus.waitFor(p99)
      expect(Number(found?.value?.[1])).toBeGreaterThan(0.06)
    }
    const buckets = 'count(tail_request_duration_seconds_bucket)'
    expect(await classic.prometheus.query(buckets)).toHaveLength(1)
    expect(await native.prometheus.query(buckets)).toEqual([])
  },
  TEST_MS_MAX
)
