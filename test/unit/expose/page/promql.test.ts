import { expect, test } from '@jest/globals'
import { graphUrl, questionOf } from '../../../../src/expose/page/promql.js'
import { series } from '../../../../src/expose/series.ts'

const about = {
  service: 'shop',
  operation: 'GET /buy',
  phase: 'gc',
  quantile: '0.99',
  grade: 'measured',
  pattern: 'retry',
  culprit: 'db',
  at: 'SELECT',
  budget: 'p99',
  from: '1700000000000',
  to: '1700000900000'
}
const moments = [
  'requests',
  'threshold',
  'body',
  'tail',
  'excess',
  'grade',
  'pattern',
  'pattern-share',
  'blame',
  'budget',
  'budget-total',
  'budget-requests',
  'budget-threshold',
  'budget-allowed'
]
const stretches = ['then-requests', 'then-quantile', 'then-body', 'then-tail']
const sum = (selector: string): string => `sum(${selector})`

test.each([...moments, ...stretches])('%s asks only for series and labels that there are', (kind) => {
  const query = String(questionOf(kind, about)?.query(sum))
  const selectors = [...query.matchAll(/(\w+)\{([^}]*)\}/g)]
  expect(selectors.length).toBeGreaterThan(0)
  for (const [, name, matchers = ''] of selectors) {
    const family = Object.values(series).find((known) => known.name === name?.replace(/_bucket$/, ''))
    expect([name, family?.type === 'histogram']).toEqual([name, name?.endsWith('_bucket') === true])
    const labels = [...matchers.matchAll(/(\w+)="/g)].map(([, label]) => label)
    expect(family?.labels).toEqual(expect.arrayContaining(labels))
  }
})

test('the excess is the mean of the tail minus the mean of the body', () => {
  expect(questionOf('excess', { service: 's', operation: 'o', phase: 'gc' })?.query(sum)).toBe(
    [
      'sum(tail_phase_seconds_total{service_name="s",operation="o",band="gt_p99",phase="gc"})',
      '  / sum(tail_requests_total{service_name="s",operation="o",band="gt_p99"})',
      '- sum(tail_phase_seconds_total{service_name="s",operation="o",band="le_p50",phase="gc"})',
      '  / sum(tail_requests_total{service_name="s",operation="o",band="le_p50",outcome="ok"})'
    ].join('\n')
  )
})

test('a number of a stretch of time is asked of that stretch, whenever it is asked', () => {
  const of = { service: 's', operation: 'o', from: '1700000000000', to: '1700000900000' }
  expect(questionOf('then-quantile', { ...of, quantile: '0.99' })?.query(sum)).toBe(
    'histogram_quantile(0.99, sum by (le) (increase(tail_request_duration_seconds_bucket{service_name="s",operation="o"}[900s] @ 1700000900)))'
  )
  expect(questionOf('then-tail', { ...of, phase: 'gc' })?.query(sum)).toBe(
    [
      'sum(increase(tail_phase_seconds_total{service_name="s",operation="o",band="gt_p99",phase="gc"}[900s] @ 1700000900))',
      '  / sum(increase(tail_requests_total{service_name="s",operation="o",band="gt_p99"}[900s] @ 1700000900))'
    ].join('\n')
  )
})

test('names cannot leave their quotes', () => {
  const operation = '"} or vector(1) #\\"\n'
  expect(questionOf('requests', { service: 's', operation })?.query(sum)).toBe(
    'sum(tail_requests_total{service_name="s",operation="\\"} or vector(1) #\\\\\\"\\n"})'
  )
})

test('what is no question has no answer', () => {
  expect(questionOf('constructor', {})).toBeUndefined()
})

test('a query leads to the page of Prometheus that shows it, whatever it holds', () => {
  const url = graphUrl('http://prometheus:9090/below/', 'sum(x{a="&g0.tab=0#"})')
  expect(url).toMatch(/^http:\/\/prometheus:9090\/below\/graph\?/)
  expect(new URL(url).searchParams.get('g0.expr')).toBe('sum(x{a="&g0.tab=0#"})')
})
