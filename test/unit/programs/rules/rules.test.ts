import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { RULE_FILE, rulesText } from '../../../../src/programs/rules.ts'
import { loadSettings } from '../../../../src/settings/settings.ts'
import { complaintsAbout, recordsOf, rulesOf, selectorsOf, type Rule } from '../../../builders/rule-queries.ts'
import { seriesCatalogue } from '../../../builders/series-catalogue.ts'

const settings = (text = ''): ReturnType<typeof loadSettings> => loadSettings(text, 'test.yaml', {})
const defaults = rulesText(settings())
const shipped = rulesOf(defaults)
const records = recordsOf(defaults)
const alerts = shipped.filter(({ alert }) => alert !== undefined)

test('the committed file is what the defaults make: run npm run --silent tailspan -- rules --out deploy/prometheus', () => {
  const committed = readFileSync(new URL(`../../../../deploy/prometheus/${RULE_FILE}`, import.meta.url), 'utf8')
  expect(committed).toBe(defaults)
})

/** Expressions, and the queries that texts ask. */
const queries = shipped.flatMap(({ expr, annotations }) => [
  expr,
  ...[...(annotations?.['description'] ?? '').matchAll(/`([^`]*)`/g)].map(([, query = '']) => query)
])

test('rules ask only for series, labels and values that there are', async () => {
  const catalogue = await seriesCatalogue()
  expect(queries.length).toBeGreaterThan(100)
  expect(queries.flatMap(selectorsOf).length).toBeGreaterThan(200)
  expect([...new Set(queries.flatMap((query) => complaintsAbout(query, catalogue, records)))]).toEqual([])
})

test('the check of names would notice', async () => {
  const catalogue = await seriesCatalogue()
  expect(complaintsAbout('sum(rate(tail_request_total{band="gt_p98"}[5m]))', catalogue, records)).toEqual([
    'no tail_request_total'
  ])
  expect(complaintsAbout('tail_requests_total{band="gt_p98",bnd="x"}', catalogue, records)).toEqual([
    'tail_requests_total never has band="gt_p98"',
    'tail_requests_total has no bnd'
  ])
  expect(complaintsAbout('operation:tail_nothing:rate1h > 1', catalogue, records)).toEqual([
    'operation:tail_nothing:rate1h is not recorded'
  ])
})

test('every recorded series is asked for: by an alert, by its text or by another rule', () => {
  const asked = new Set(queries.flatMap((query) => selectorsOf(query).map(({ metric }) => metric)))
  expect(shipped.flatMap(({ record }) => (record === undefined || asked.has(record) ? [] : [record]))).toEqual([])
})

test('every alert has a severity, a sentence, a text and three links', () => {
  for (const { alert, labels, annotations } of alerts) {
    expect(['critical', 'warning', 'info']).toContain(labels?.['severity'])
    expect(annotations?.['summary']).toMatch(/\.$/)
    expect(annotations?.['description']).toMatch(/\S/)
    for (const link of ['page_url', 'dashboard_url', 'runbook_url']) expect(annotations?.[link]).toMatch(/^http:\/\//)
    expect(annotations?.['runbook_url']).toMatch(new RegExp(`/${alert ?? ''}[.]md$`))
  }
})

test('replicas add up: no rule keeps a label of the target but those about one target', () => {
  const perTarget = new Set(['TailTargetDown', 'TailScrapeSlow'])
  for (const { alert, record, expr } of shipped) {
    if (alert !== undefined && perTarget.has(alert)) continue
    // A counter or a histogram is always inside a sum.
    const bare = expr.replaceAll(/sum(?: by \([^)]*\))? \((?:rate|increase)\([^()]*\)\)|sum\(increase\([^()]*\)\)/g, '')
    expect([alert ?? record, /\b(rate|increase)\(/.test(bare)]).toEqual([alert ?? record, false])
  }
})

test('settings say where links lead, which job it is, and what is too much', () => {
  const text = rulesText(
    settings(`
alerting:
  job: telemetry/tailspan
  page_url: https://tail.example/
  grafana_url: https://grafana.example
  runbook_url: https://wiki.example/runbooks
  requests_min: 1000
  slower_than_yesterday: { factor: 2, by: 250ms, requests_min: 50 }
expose:
  scrape_timeout: 4s
`)
  )
  const rule = (name: string): Rule | undefined => rulesOf(text).find(({ alert }) => alert === name)
  expect(rule('TailTargetDown')?.expr).toBe(
    'up{job="telemetry/tailspan"} == 0\nor\nabsent(up{job="telemetry/tailspan"})'
  )
  expect(rule('TailTargetDown')?.annotations).toMatchObject({
    page_url: 'https://tail.example/',
    dashboard_url: 'https://grafana.example/d/tailspan-health',
    runbook_url: 'https://wiki.example/runbooks/TailTargetDown.md'
  })
  expect(rule('TailBudgetBurnFast')?.expr).toContain('operation_budget:tail_budget_requests:increase1h > 1000')
  expect(rule('TailSlowerThanYesterday')?.expr).toContain('p99_15m > 2 * ')
  expect(rule('TailSlowerThanYesterday')?.expr).toContain('>= 0.25')
  expect(rule('TailSlowerThanYesterday')?.expr).toContain('operation:tail_requests:increase15m >= 50')
  expect(rule('TailScrapeSlow')?.expr).toContain('scrape_duration_seconds{job="telemetry/tailspan"} > 2')
})

test('without a runbook address the runbooks are the ones that the page shows', () => {
  const [first] = rulesOf(rulesText(settings('alerting: { page_url: "https://tail.example/t/" }'))).filter(
    ({ alert }) => alert !== undefined
  )
  expect(first?.annotations?.['runbook_url']).toBe('https://tail.example/t/runbooks/TailBudgetBurnFast.md')
})

test('names that would leave their place in a rule are refused', () => {
  expect(() => settings("alerting: { job: 'a\"} or vector(1) #' }")).toThrow(
    'alerting.job: expected the name of a scrape job'
  )
  expect(() => settings('alerting: { page_url: "javascript:alert(1)" }')).toThrow(
    'alerting.page_url: expected the address'
  )
  expect(() => settings('alerting: { grafana_url: "http://{{ x }}" }')).toThrow(
    'alerting.grafana_url: expected the address'
  )
})

test('shorter windows are shorter everywhere, and the words say so', () => {
  const short = rulesText(settings(), 1 / 60)
  expect(short).toContain('# For a demonstration: every window is 0.016666666666666666 of what its name says.')
  const burn = rulesOf(short).find(({ record }) => record === 'operation_budget:tail_budget_over:ratio_rate1h')
  expect(burn?.expr).toContain('[1m]')
  expect(short).toContain('In the last minute {{ .Value | humanizePercentage }}')
  expect(short).toContain('offset 24m')
})

test('rules know how often they are fed', () => {
  const rare = rulesText(settings('alerting: { scrape_interval: 5m }'))
  expect(rare).toContain('[20m]')
  expect(rare).not.toContain('[5m]')
  expect(rare).not.toContain('[10m]')
})
