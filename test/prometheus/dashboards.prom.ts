import { afterAll, beforeAll, expect } from '@jest/globals'
import { dashboards } from '../../deploy/grafana/index.ts'
import { queriesOf, type DashboardQuery } from '../builders/dashboards.ts'
import { startService, type LiveService } from '../builders/live-service.ts'
import { type Backend, httpBackend } from '../builders/otlp-backends.ts'
import { withVariables } from '../builders/promql.ts'
import { type CauseName, causes, createTraffic, type Traffic } from '../demo/traffic.ts'
import { createCheckout } from './checkout.ts'
import { type Found } from '../builders/monitoring.ts'
import { type Prometheus, startPrometheus, testWith } from './prometheus.ts'

const prometheusTest = testWith('prometheus')

/** Short enough that a test need not wait for them, long enough for several scrapes. */
const variables = {
  $__rate_interval: '20s',
  $__range: '1m',
  $window: '1m'
}
/** Whom the reader chose; each panel must have data for one of them. */
const subjects = [
  { $service: 'gateway', $operation: 'GET /buy' },
  { $service: 'checkout', $operation: 'GET /pay' }
] as const
const SEND_EVERY_MS = 50
const REQUESTS_EACH_TIME = 10
/** Tail requests that are enough for an attribution to say anything. */
const SLOW_ENOUGH = 12
const EXEMPLARS_OF_SECONDS = 300

interface Stand {
  readonly backend: Backend
  readonly service: LiveService
  readonly traffic: Traffic
  readonly sending: NodeJS.Timeout
  readonly classic: Prometheus
  readonly native: Prometheus
}
let stand: Stand | undefined

/** The demo's shop sends to a real Tailspan, which passes spans on, and which two real Prometheus scrape: one knows native histograms, one does not. */
beforeAll(async () => {
  const backend = await httpBackend()
  const service = await startService({
    assemble: { quiet_time: '1s' },
    decompose: { inference: { wait: '1s' } },
    explain: { blame_gather: '1s' },
    budgets: [{ service: 'gateway', operation: 'GET /buy', p99: '50ms' }],
    expose: { zero_first: '0s' },
    forward: { destinations: [{ name: 'backend', endpoint: backend.endpoint }] }
  })
  const traffic = createTraffic({ grpcAddress: service.grpc, exportEveryMs: 500, seed: 7 })
  const names = Object.keys(causes) as CauseName[]
  const checkout = createCheckout(service.http, 7)
  let sent = 0
  const sending = setInterval(() => {
    for (let i = 0; i < REQUESTS_EACH_TIME; i++) {
      traffic.request(Date.now() - 500 + i, names[sent++ % names.length] ?? 'queue')
    }
    void checkout.send(REQUESTS_EACH_TIME)
  }, SEND_EVERY_MS)
  const scraping = {
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: [{ job_name: 'tailspan', static_configs: [{ targets: [service.metrics] }] }]
  }
  const [classic, native] = await Promise.all([
    startPrometheus(scraping, ['exemplar-storage']),
    startPrometheus(scraping, ['exemplar-storage', 'native-histograms'])
  ])
  stand = { backend, service, traffic, sending, classic, native }
  const attributed = `sum(increase(tail_requests_total{band="gt_p99",service_name="gateway"}[1m])) > ${SLOW_ENOUGH}`
  for (const prometheus of [classic, native]) {
    await prometheus.waitFor(attributed)
    await prometheus.waitFor('tail_clock_offset_seconds')
    await prometheus.waitFor('rate(tail_forward_spans_total{result="sent"}[20s]) > 0')
    await prometheus.waitFor('rate(tail_boundary_seconds_count{band="gt_p99",component="marshalling"}[1m]) > 0')
    await prometheus.waitFor('tail_advice_info{service_name="checkout"}')
    await prometheus.waitFor('rate(tail_pattern_seconds_total{band="gt_p99",service_name="checkout"}[1m]) > 0')
    await prometheus.waitFor('rate(tail_blame_seconds_total{band="gt_p99",culprit_service_name="gateway"}[1m]) > 0')
  }
}, 120_000)

afterAll(async () => {
  if (stand === undefined) return
  clearInterval(stand.sending)
  await stand.traffic.shutdown()
  await Promise.all([stand.classic.stop(), stand.native.stop()])
  await stand.service.stop()
  await stand.backend.close()
})

const every: readonly DashboardQuery[] = Object.entries(dashboards).flatMap(([name, one]) => queriesOf(name, one))

/** A number that a panel can draw. */
const drawable = ({ value }: Found): boolean => value !== undefined && Number.isFinite(Number(value[1]))

async function foundFor(prometheus: Prometheus | undefined, expr: string): Promise<readonly Found[]> {
  const found: Found[] = []
  for (const subject of subjects) {
    found.push(...((await prometheus?.query(withVariables(expr, { ...variables, ...subject }))) ?? []))
  }
  return found
}

async function expectEveryPanelToHaveData(prometheus: Prometheus | undefined): Promise<void> {
  const empty: string[] = []
  const unlabelled: string[] = []
  const columnsLeft = new Map<string, Set<string>>()
  for (const { panel, refId, expr, labels, columns } of every) {
    const found = await foundFor(prometheus, expr)
    if (!found.some(drawable)) empty.push(`${panel}/${refId}`)
    for (const label of labels) {
      if (found.some(({ metric }) => metric[label] === undefined)) unlabelled.push(`${panel}/${refId}: ${label}`)
    }
    const left = columnsLeft.get(panel) ?? new Set(columns)
    columnsLeft.set(panel, left)
    for (const label of columns) if (found.some(({ metric }) => metric[label] !== undefined)) left.delete(label)
  }
  const missing = [...columnsLeft]
    .filter(([, left]) => left.size > 0)
    .map(([panel, left]) => [panel, ...left].join(' '))
  expect({ empty, unlabelled, missing }).toEqual({ empty: [], unlabelled: [], missing: [] })
  expect(prometheus?.complaints()).toBe('')
}

prometheusTest('every query of every panel finds numbers, and the labels it shows, in classic histograms', async () => {
  await expectEveryPanelToHaveData(stand?.classic)
  expect(await stand?.classic.query('tail_request_duration_seconds_bucket')).not.toEqual([])
})

prometheusTest('every query of every panel finds numbers, and the labels it shows, in native histograms', async () => {
  await expectEveryPanelToHaveData(stand?.native)
  expect(await stand?.native.query('tail_request_duration_seconds_bucket')).toEqual([])
})

prometheusTest('the dots of slow requests are exemplars of the panel that shows them', async () => {
  const { expr } = every.find(({ exemplars }) => exemplars) ?? { expr: '' }
  const seconds = Date.now() / 1000
  for (const prometheus of [stand?.classic, stand?.native]) {
    const found = (await prometheus?.api('query_exemplars', {
      query: withVariables(expr, { ...variables, ...subjects[0] }),
      start: String(seconds - EXEMPLARS_OF_SECONDS),
      end: String(seconds)
    })) as { exemplars: { labels: Record<string, string> }[] }[]
    const labels = found.flatMap(({ exemplars }) => exemplars.map((exemplar) => Object.keys(exemplar.labels)))
    expect(labels.length).toBeGreaterThan(0)
    for (const names of labels) expect(names).toContain('trace_id')
  }
})

prometheusTest(
  'what the dashboards say of the shop is what was done to it: the waterfall ends at a slow request',
  async () => {
    // Both at one moment: the counters go on.
    const time = String(Date.now() / 1000)
    const value = async (where: string): Promise<readonly Found[]> => {
      const expr = every.find(({ panel, refId }) => `${panel}/${refId}` === where)?.expr ?? ''
      const found = await stand?.classic.api('query', {
        query: withVariables(expr, { ...variables, ...subjects[0] }),
        time
      })
      return (found as { result: readonly Found[] }).result
    }
    const waterfall = 'operation/From a usual request to a slow one'
    const [floors, lengths] = [await value(`${waterfall}/A`), await value(`${waterfall}/B`)]
    const lengthOf = (step: string): number =>
      Number(lengths.find(({ metric }) => metric['step']?.endsWith(` ${step}`))?.value?.[1])
    const floorOf = (step: string): number =>
      Number(floors.find(({ metric }) => metric['step']?.endsWith(` ${step}`))?.value?.[1])
    expect(floorOf('queue_wait')).toBeCloseTo(lengthOf('usual'), 9)
    expect(floorOf('scheduling')).toBeCloseTo(lengthOf('usual') + lengthOf('queue_wait'), 9)
    expect(floorOf('unattributed') + lengthOf('unattributed')).toBeGreaterThanOrEqual(lengthOf('slow') - 1e-9)
    const culprits = await value('operation/Culprits of this operation/A')
    const [first] = culprits.toSorted((a, b) => Number(b.value?.[1]) - Number(a.value?.[1]))
    const injected = Object.values(causes).map(({ culprit }) => `${culprit.service} ${culprit.phase}`)
    expect(injected).toContain(`${first?.metric['culprit_service_name'] ?? ''} ${first?.metric['phase'] ?? ''}`)
  }
)
