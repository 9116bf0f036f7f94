import { expect, test } from '@jest/globals'
import { parsePrometheusText } from '../../builders/prometheus-text.ts'

const counter = (...lines: string[]): string =>
  ['# HELP a_total What.', '# TYPE a_total counter', ...lines, ''].join('\n')

test('escapes in label values come back as they were', () => {
  const { samples } = parsePrometheusText(counter(String.raw`a_total{x="q\"b\\s\nl",constructor="y"} 1`))
  expect(samples[0]?.labels).toEqual({ x: 'q"b\\s\nl', constructor: 'y' })
})

test('sums are over all samples that have the labels', () => {
  const exposition = parsePrometheusText(
    counter('a_total{x="1",y="1"} 1', 'a_total{x="1",y="2"} 2', 'a_total{x="2",y="1"} 4')
  )
  expect(exposition.sum('a_total', { x: '1' })).toBe(3)
  expect(exposition.sum('a_total')).toBe(7)
})

const buckets = (...lines: string[]): string => ['# TYPE h histogram', ...lines, 'h_sum 3', 'h_count 3', ''].join('\n')

test.each([
  ['a raw newline in a label value', counter('a_total{x="1', '2"} 1')],
  ['a series twice', counter('a_total{x="1"} 1', 'a_total{x="1"} 2')],
  ['a label twice', counter('a_total{x="1",x="2"} 1')],
  ['an unknown escape', counter(String.raw`a_total{x="\t"} 1`)],
  ['a value that is no number', counter('a_total 1_000')],
  ['a sample outside its group', counter('b_total 1')],
  ['a family in two groups', counter('a_total 1') + counter('a_total{x="1"} 1')],
  ['a last line without an end', counter('a_total 1').slice(0, -1)],
  ['a bad metric name', counter('1a_total 1')],
  ['buckets that fall', buckets('h_bucket{le="1"} 4', 'h_bucket{le="+Inf"} 3')],
  ['buckets without +Inf', buckets('h_bucket{le="1"} 3')],
  ['a count that is not the last bucket', buckets('h_bucket{le="1"} 1', 'h_bucket{le="+Inf"} 2')]
])('%s is refused', (_, text) => {
  expect(() => parsePrometheusText(text)).toThrow()
})
