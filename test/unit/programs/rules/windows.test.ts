import { expect, test } from '@jest/globals'
import { createWindows } from '../../../../src/programs/rules/windows.ts'

test('a span is written for PromQL and said in words', () => {
  const { length, words, ago, seconds } = createWindows(1)
  expect([length('5m'), length('1h'), length('6h'), length('1d')]).toEqual(['5m', '1h', '6h', '1d'])
  expect([words('5m'), words('1h'), words('6h'), words('1d')]).toEqual(['5 minutes', 'hour', '6 hours', 'day'])
  expect([ago('1h'), ago('6h')]).toEqual(['one hour ago', '6 hours ago'])
  expect(seconds('6h')).toBe(21_600)
})

test('scaled spans are whole in the unit they are written in, and never 0', () => {
  const { length, words } = createWindows(1 / 120)
  expect([length('5m'), length('1h'), length('6h'), length('1d')]).toEqual(['2500ms', '30s', '3m', '12m'])
  expect([words('5m'), words('1h'), words('2h')]).toEqual(['2500 milliseconds', '30 seconds', 'minute'])
  expect(createWindows(1e-9).length('5m')).toBe('1ms')
})

test('where scrapes are rare no window is too short for some of them', () => {
  const { length, words } = createWindows(1, 300_000)
  expect([length('5m'), length('15m'), length('30m'), length('1d')]).toEqual(['20m', '20m', '30m', '1d'])
  expect(words('5m')).toBe('20 minutes')
  expect(createWindows(1, 1_000).length('5m')).toBe('5m')
})
