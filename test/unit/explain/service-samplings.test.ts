import { expect, test } from '@jest/globals'
import { createServiceSamplings, samplingOf } from '../../../src/explain/service-samplings.ts'
import { Sampling } from '../../../src/model/requests.ts'
import { testStrings } from './explainers.ts'

test('settings say how a service is sampled, the first match winning', () => {
  const strings = testStrings()
  const samplings = createServiceSamplings(
    [
      { service: 'edge-*', kind: 'ratio', ratio: 0.1 },
      { service: 'edge-1', kind: 'none' }
    ],
    strings
  )
  const edge = samplings.hold(strings.internText('edge-1'))
  const shop = samplings.hold(strings.internText('shop'))
  expect(samplingOf(edge, Sampling.tail, 0, 1)).toBe(Sampling.ratio)
  expect(edge.weight).toBe(10)
  expect(samplingOf(shop, Sampling.none, 0, 1)).toBe(Sampling.none)
  expect(shop.weight).toBe(1)
})

test('a service that a tail sampler touched counts as tail-sampled for a while, though most requests do not say so', () => {
  const strings = testStrings()
  const shop = createServiceSamplings([], strings).hold(strings.internText('shop'))
  expect(samplingOf(shop, Sampling.tail, 1_000, 500)).toBe(Sampling.tail)
  expect(samplingOf(shop, Sampling.unknown, 1_499, 500)).toBe(Sampling.tail)
  expect(samplingOf(shop, Sampling.unknown, 1_500, 500)).toBe(Sampling.unknown)
})

test('a service is listed while it has a row', () => {
  const strings = testStrings()
  const samplings = createServiceSamplings([], strings)
  const service = strings.internText('shop')
  const held = samplings.hold(service)
  samplings.hold(service)
  samplings.release(held)
  expect(samplings.all()).toEqual([{ service, sampling: Sampling.unknown }])
  samplings.release(held)
  expect(samplings.all()).toEqual([])
})
