import { type CountedRequests } from '../model/requests.ts'

/** Where each request of one trace was counted; reused for the next. */
export interface Counted extends CountedRequests {
  row: Uint32Array
  band: Uint8Array
  over: Uint8Array
  kept: boolean
  class: Uint8Array
  weight: Float64Array
}

export function createCounted(): Counted {
  return {
    row: new Uint32Array(64),
    band: new Uint8Array(64),
    over: new Uint8Array(64),
    kept: false,
    class: new Uint8Array(64),
    weight: new Float64Array(64)
  }
}

export function ensureCounted(counted: Counted, n: number): void {
  if (n <= counted.row.length) return
  const size = Math.max(n, counted.row.length * 2)
  counted.row = new Uint32Array(size)
  counted.band = new Uint8Array(size)
  counted.over = new Uint8Array(size)
  counted.class = new Uint8Array(size)
  counted.weight = new Float64Array(size)
}
