import { expect, test } from '@jest/globals'
import { ago, count, duration, percent, signed, times } from '../../../../src/expose/page/format.js'

const plain = (text: string): string => text.replaceAll('\u00a0', ' ')

test.each([
  [0, '0'],
  [7, '7 ns'],
  [999, '999 ns'],
  [1_500, '1.50 µs'],
  [999_600, '1.00 ms'],
  [12_340_000, '12.3 ms'],
  [99_960_000, '100 ms'],
  [1.5e9, '1.50 s'],
  [7.2e12, '7200 s'],
  [-2_500_000, '−2.50 ms'],
  [null, '–'],
  [NaN, '–']
])('%p ns is %s', (ns, text) => {
  expect(plain(duration(ns))).toBe(text)
})

test('a gain has its sign', () => {
  expect([signed(2e6), signed(-2e6), signed(null)].map(plain)).toEqual(['+2.00 ms', '−2.00 ms', '–'])
})

test('shares, factors and counts are short', () => {
  expect([percent(0), percent(0.0123), percent(0.5), percent(1), percent(null)].map(plain)).toEqual([
    '0 %',
    '1.2 %',
    '50 %',
    '100 %',
    '–'
  ])
  expect([times(1.55), times(12.4)]).toEqual(['1.6×', '12×'])
  expect(count(1_234_567.4)).toBe('1,234,567')
})

test.each([
  [-5, '0 s ago'],
  [59, '59 s ago'],
  [60, '1 min ago'],
  [7_199, '1 h ago'],
  [200_000, '2 days ago']
])('%p seconds are %s', (seconds, text) => {
  expect(plain(ago(0, seconds * 1e3))).toBe(text)
})
