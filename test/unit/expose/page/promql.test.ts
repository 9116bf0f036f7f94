import { expect, test } from '@jest/globals'
import { questionOf } from '../../../../src/expose/page/promql.js'
import { series } from '../../../../src/expose/series.ts'

const about = {
  service: 'shop',
  operation: 'GET /buy',
  phase: 'gc',
  quantile: '0.99',
  grade: 'measured',
  culprit: 'db',
  at: 'SELECT'
}
const kinds = ['requests', 'threshold', 'body', 'tail', 'excess', 'grade', 'blame']
const sum = (selector: string): string => `sum(${selector})`

test.each(kinds)('%s asks only for series and labels that there are', (kind) => {
  const query = String(questionOf(kind, about)?.query(sum))
  const selectors = [...query.matchAll(/(\w+)\{([^}]*)\}/g)]
  expect(selectors.length).toBeGreaterThan(0)
  for (const [, name, matchers = ''] of selectors) {
    const family = Object.values(series).find((known) => known.name === name)
    expect([name, family?.name]).toEqual([name, name])
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

test('names cannot leave their quotes', () => {
  const operation = '"} or vector(1) #\\"\n'
  expect(questionOf('requests', { service: 's', operation })?.query(sum)).toBe(
    'sum(tail_requests_total{service_name="s",operation="\\"} or vector(1) #\\\\\\"\\n"})'
  )
})

test('what is no question has no answer', () => {
  expect(questionOf('constructor', {})).toBeUndefined()
})
