import { expect, test } from '@jest/globals'
import { count, duration, percent, printable, several, table, wrapped } from '../../../../src/programs/analyze/words.ts'

test.each([
  [0, '0'],
  [850, '0.85 µs'],
  [12_345, '12.3 µs'],
  [999_499, '999 µs'],
  [999_600, '1.00 ms'],
  [412_345_678, '412 ms'],
  [1_240_000_000, '1.24 s'],
  [3_723_000_000_000, '3,723 s'],
  [-2_500_000, '-2.50 ms']
])('%d ns are %s', (ns, text) => {
  expect(duration(ns)).toBe(text)
})

test.each([
  [0, '0 %'],
  [0.0096, '0.96 %'],
  [0.0122, '1.2 %'],
  [0.0999, '10 %'],
  [0.78, '78 %'],
  [0.9962, '>99 %'],
  [1, '100 %']
])('a share of %d is %s', (share, text) => {
  expect(percent(share)).toBe(text)
})

test('numbers are grouped, and one is not many', () => {
  expect([count(5000), several(1, 'trace'), several(1234, 'span')]).toEqual(['5,000', '1 trace', '1,234 spans'])
})

test('long texts are wrapped at 100 columns and set back', () => {
  const lines = wrapped('word '.repeat(50).trim(), '1. ', '   ')
  expect(lines.every((line) => line.length <= 100)).toBe(true)
  expect(lines.map((line) => line.slice(0, 4))).toEqual(['1. w', '   w', '   w'])
  expect(wrapped('', '> ')).toEqual(['> '])
})

test('a number is not parted from its unit', () => {
  const [, second] = wrapped(`${'x'.repeat(96)} 100 % of it`, '')
  expect(second).toBe('100 % of it')
  expect(wrapped(`${'x'.repeat(96)} 412 ms`, '')).toHaveLength(2)
})

test('a table is at most 100 columns wide: its first column gives way', () => {
  const lines = table(
    [
      ['operation', 'n'],
      ['x'.repeat(200), '12']
    ],
    ['left', 'right']
  )
  expect(lines).toEqual([`operation${' '.repeat(87)}   n`, `${'x'.repeat(95)}…  12`])
})

test('a name cannot move the cursor, forge a line or turn the direction of the text', () => {
  expect(printable('a\n\u001b[2Jb\u202ec')).toBe('a\\u000a\\u001b[2Jb\\u202ec')
})
