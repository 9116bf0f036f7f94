import { QUANTILES } from '../model/requests.ts'
import { type Marks } from '../runtime/stage.ts'
import { type Strings } from '../runtime/strings.ts'
import { type Learned } from './learned.ts'
import { createPairIndex } from './pair-index.ts'
import { REQUESTS_MIN } from './thresholds.ts'

const unknown = new Float64Array(QUANTILES).fill(NaN)

/** Loaded thresholds and streams by operation. */
export interface LoadedLearning {
  readonly learned: Learned
  /** NaN where unknown. An operation below 200 requests keeps its p50 and p95, which no band is made of. */
  readonly thresholdsOf: (service: number, operation: number) => Float64Array
  /** Requests that the thresholds were found from. */
  readonly requestsOf: (service: number, operation: number) => number
  readonly isStream: (service: number, operation: number) => boolean
  readonly mark: (marks: Marks) => void
}

export function createLoadedLearning(learned: Learned, strings: Strings): LoadedLearning {
  const index = createPairIndex()
  const streams = createPairIndex()
  const thresholds = learned.thresholds.map(({ service, operation, requests, ns }, at) => {
    index.set(strings.internText(service), strings.internText(operation), at)
    return Float64Array.from(ns, (value, quantile) => (requests < REQUESTS_MIN && quantile >= 2 ? NaN : value))
  })
  for (const { service, operation } of learned.streams) {
    streams.set(strings.internText(service), strings.internText(operation), 1)
  }
  return {
    learned,
    thresholdsOf: (service, operation) => thresholds[index.get(service, operation)] ?? unknown,
    requestsOf: (service, operation) => learned.thresholds[index.get(service, operation)]?.requests ?? 0,
    isStream: (service, operation) => streams.get(service, operation) === 1,
    mark(marks) {
      for (const pairs of [index, streams]) {
        pairs.forEach((service, operation) => {
          marks.strings[service] = 1
          marks.strings[operation] = 1
        })
      }
    }
  }
}
