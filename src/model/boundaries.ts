/** What it costs to cross from one service or language to another; the order of every component-indexed array. */
export const boundaryComponents = ['network', 'marshalling', 'queue'] as const
export type BoundaryComponent = (typeof boundaryComponents)[number]
export const BoundaryComponent = { network: 0, marshalling: 1, queue: 2 } as const
export const BOUNDARY_COMPONENTS = boundaryComponents.length

/**
 * Upper bounds in seconds of the one fixed layout of tail_boundary_seconds; +Inf follows. From a call within a process to one
 * across the world; below 1e-4 the text formats and the others would write them differently.
 */
export const boundaryBounds = [0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 1] as const
/** Buckets of a histogram, +Inf included. */
export const BOUNDARY_BUCKETS = boundaryBounds.length + 1

/** Body and tail of the requests that pay for the crossings; the order of every array that is indexed by them. */
export const boundaryBands = ['le_p50', 'gt_p99'] as const
export const BoundaryBand = { body: 0, tail: 1 } as const
export const BOUNDARY_BANDS = boundaryBands.length
