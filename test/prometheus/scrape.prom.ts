import { createServer, get, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import { afterEach, expect } from '@jest/globals'
import { visible } from '../../src/expose/labels.ts'
import { formats } from '../../src/expose/negotiate.ts'
import { HOSTILE_NAME, OPERATIONS, REQUESTS_EACH, TRACE_ID, fullExposer } from './full-exposition.ts'
import { startPrometheus, testWith, type Prometheus } from './prometheus.ts'
import { type TestExposer } from '../unit/expose/exposer.ts'

const prometheusTest = testWith('prometheus')

let closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.reverse()) await close()
  closers = []
})

/** What the operator of Kubernetes makes of a ServiceMonitor: target labels of its own names. */
function serviceMonitorConfig(port: number): object {
  const target = { targets: [`127.0.0.1:${port}`], labels: { namespace: 'observability', __meta_pod: 'tailspan-0' } }
  return {
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: [
      {
        job_name: 'tailspan',
        static_configs: [target],
        relabel_configs: [
          { source_labels: ['__meta_pod'], target_label: 'pod' },
          { target_label: 'service', replacement: 'tailspan' },
          { target_label: 'container', replacement: 'tailspan' },
          { target_label: 'endpoint', replacement: 'metrics' }
        ]
      }
    ]
  }
}

const targetLabels = new Set(['job', 'instance', 'namespace', 'pod', 'service', 'container', 'endpoint'])

interface Scraped {
  readonly prometheus: Prometheus
  readonly open: TestExposer
}

async function scraped(features: readonly string[], through?: (port: number) => Promise<number>): Promise<Scraped> {
  const open = fullExposer()
  closers.push(() => open.exposer.close(0))
  const { port } = await open.exposer.listen()
  const target = through === undefined ? port : await through(port)
  const prometheus = await startPrometheus(serviceMonitorConfig(target), ['exemplar-storage', ...features])
  closers.push(prometheus.stop)
  await prometheus.waitFor('tail_build_info')
  return { prometheus, open }
}

/** Hands every request on as one of an old scraper. */
async function oldScraper(port: number): Promise<number> {
  const proxy: Server = createServer((request, response) => {
    const headers = { ...request.headers, accept: 'text/plain;version=0.0.4' }
    get({ port, path: request.url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => proxy.once('listening', resolve))
  closers.push(async () => {
    proxy.closeAllConnections()
    await new Promise((resolve) => proxy.close(resolve))
  })
  return (proxy.address() as AddressInfo).port
}

function onlyFormatServed({ exposer }: TestExposer): string[] {
  return formats.filter((_format, index) => exposer.counters.get('tail_scrapes_total', index) > 0)
}

async function tailSeries(prometheus: Prometheus): Promise<Record<string, string>[]> {
  const found = await prometheus.query('{__name__=~"tail_.+"}')
  return found.map(({ metric }) =>
    Object.fromEntries(Object.entries(metric).filter(([name]) => !targetLabels.has(name)))
  )
}

async function expectNoRenamedLabel({ prometheus }: Scraped): Promise<void> {
  const names = (await prometheus.api('labels', {})) as string[]
  expect(names).toEqual(expect.arrayContaining(['service', 'namespace', 'pod', 'service_name', 'operation']))
  expect(names.filter((name) => name.startsWith('exported_'))).toEqual([])
}

async function expectTheNumbers({ prometheus }: Scraped): Promise<void> {
  const value = async (expression: string): Promise<number> =>
    Number((await prometheus.query(expression))[0]?.value?.[1])
  expect(await value('sum(tail_requests_total)')).toBe(OPERATIONS * REQUESTS_EACH)
  const own = 'service_name="team/service-1"'
  const spent = await value(`sum(tail_phase_seconds_total{${own}})`)
  expect(spent).toBeCloseTo(((1 + REQUESTS_EACH) * REQUESTS_EACH) / 2 / 1000, 6)
  expect(await value(`tail_band_threshold_seconds{${own},quantile="0.99"}`)).toBe(0.594)
  const [hostile] = await prometheus.query('tail_requests_partial_total{service_name="team/service-0"}')
  expect(hostile?.metric['operation']).toBe(visible(HOSTILE_NAME))
  expect((await prometheus.query('up'))[0]?.metric).toMatchObject({ service: 'tailspan', namespace: 'observability' })
  expect(prometheus.complaints()).toBe('')
}

interface ExemplarAnswer {
  readonly exemplars: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: string }[]
}

async function exemplarsOf({ prometheus }: Scraped, name: string): Promise<string[]> {
  const seconds = Date.now() / 1000
  const range = { start: String(seconds - 600), end: String(seconds + 600) }
  const found = (await prometheus.api('query_exemplars', { query: name, ...range })) as ExemplarAnswer[]
  const exemplars = found.flatMap((series) => series.exemplars)
  return exemplars.map(({ labels, value }) => `${labels['trace_id'] ?? ''} ${value}`)
}

prometheusTest('Prometheus takes OpenMetrics, exemplars included, and renames no label', async () => {
  const run = await scraped([])
  expect(onlyFormatServed(run.open)).toEqual(['openmetrics'])
  await expectTheNumbers(run)
  await expectNoRenamedLabel(run)
  expect(await exemplarsOf(run, 'tail_request_duration_seconds_bucket')).toEqual(
    Array<string>(OPERATIONS).fill(`${TRACE_ID} 0.6`)
  )
  expect(await run.prometheus.query('tail_request_duration_seconds_bucket{le="1.0"}')).toHaveLength(OPERATIONS + 1)
})

prometheusTest('Prometheus with native histograms takes protobuf, exemplars and histograms included', async () => {
  const run = await scraped(['native-histograms'])
  expect(onlyFormatServed(run.open)).toEqual(['protobuf'])
  await expectTheNumbers(run)
  await expectNoRenamedLabel(run)
  const own = 'tail_request_duration_seconds{service_name="team/service-1"}'
  const value = async (expression: string): Promise<number> =>
    Number((await run.prometheus.query(expression))[0]?.value?.[1])
  expect(await value(`histogram_count(${own})`)).toBe(REQUESTS_EACH)
  // `__other__` too, which has no request yet.
  expect(await value('count(histogram_count(tail_request_duration_seconds))')).toBe(OPERATIONS + 1)
  const p99 = await value(`histogram_quantile(0.99, ${own})`)
  expect(p99).toBeGreaterThan(0.594 * 0.97)
  expect(p99).toBeLessThan(0.594 * 1.03)
  expect(await exemplarsOf(run, 'tail_request_duration_seconds')).toEqual(
    Array<string>(OPERATIONS).fill(`${TRACE_ID} 0.6`)
  )
})

prometheusTest('an old scraper takes text 0.0.4 and finds the series of OpenMetrics, name for name', async () => {
  const old = await scraped([], oldScraper)
  expect(onlyFormatServed(old.open)).toEqual(['text'])
  await expectTheNumbers(old)
  await expectNoRenamedLabel(old)
  const current = await scraped([])
  const sorted = (series: Record<string, string>[]): string[] =>
    series.map((one) => JSON.stringify(Object.entries(one).sort())).sort()
  expect(sorted(await tailSeries(old.prometheus))).toEqual(sorted(await tailSeries(current.prometheus)))
})
