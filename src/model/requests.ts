/** Errors and timeouts are kept out of the body: fast failures must not make it look fast. */
export const outcomes = ['ok', 'error', 'timeout'] as const
export const Outcome = { ok: 0, error: 1, timeout: 2 } as const
export const OUTCOMES = outcomes.length

/** Only `request` and `message` are banded and blamed; all are counted. */
export const classes = ['request', 'message', 'stream', 'background'] as const
export type ClassName = (typeof classes)[number]
export const RequestClass = { request: 0, message: 1, stream: 2, background: 3 } as const

/** Where a duration stands in its operation; `none` while no threshold is known. Equal to a threshold = the lower band. */
export const bands = ['le_p50', 'p50_p95', 'p95_p99', 'gt_p99', 'none'] as const
export const Band = { leP50: 0, p50P95: 1, p95P99: 2, gtP99: 3, none: 4 } as const
export const BANDS = bands.length

/** What was found of the requests of one trace when they were counted, by request. */
export interface CountedRequests {
  readonly band: Uint8Array
  /** 1 = over a target of its budget. */
  readonly over: Uint8Array
  /** The trace is kept as an example. */
  readonly kept: boolean
}

/** Thresholds kept per operation; the order of every quantile-indexed array. */
export const quantiles = [0.5, 0.95, 0.99, 0.999] as const
export const QUANTILES = quantiles.length

/** How the requests of a service were chosen before they came here. */
export const samplings = ['none', 'ratio', 'tail', 'unknown'] as const
export const Sampling = { none: 0, ratio: 1, tail: 2, unknown: 3 } as const
