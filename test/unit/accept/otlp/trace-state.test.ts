import { expect, test } from '@jest/globals'
import { samplingThreshold } from '../../../../src/accept/otlp/trace-state.ts'

function thresholdOf(state: string): number {
  const bytes = new TextEncoder().encode(`??${state}??`)
  return samplingThreshold(bytes, 2, bytes.length - 2)
}

test.each([
  ['ot=th:8', 0.5],
  ['ot=th:c', 0.75],
  ['ot=th:0', 0],
  ['ot=th:fd70a3d70a3d71', 0xfd70a3d70a3d71 / 2 ** 56],
  ['ot=rv:abcdef12345678;th:8', 0.5],
  ['vendor=1,ot=th:4', 0.25],
  ['vendor=1 ,\t ot=th:4 , other=x', 0.25],
  ['ot=th:80000000000000', 0.5]
])('%p rejects the share %p', (state, share) => {
  expect(thresholdOf(state)).toBe(share)
})

test.each([
  '',
  'ot=',
  'ot=th:',
  'ot=th:xyz',
  'ot=th:C',
  'ot=th:123456789012345',
  'ot=p:8',
  'vendor=th:8',
  'not=th:8',
  'ot =th:8',
  ',,,'
])('%p names no threshold', (state) => {
  expect(thresholdOf(state)).toBeNaN()
})

test('no threshold rejects everything', () => {
  expect(thresholdOf('ot=th:ffffffffffffff')).toBeLessThan(1)
})
