import { enlarge } from '../../scratch.ts'

/** A piece that waits to be judged: a stretched one, or one that its process says was late. `shift` turns a time of the tree into one of the process's clock. */
export interface Suspect {
  /** Row in its trace, and its entry span's. */
  span: number
  entry: number
  kind: number
  /** On the root host's clock. */
  fromNs: number
  toNs: number
  /** Of its start, since the span's. */
  offsetNs: number
  medianNs: number
  /** 0 = no longer than usual, or its process accounts for it: nothing speaks about it but what its process says itself. */
  stretched: number
  /** 1 = its own process says what its span waited for. */
  accounted: number
  /** 1 = before the first call of its request, so a queue can have stretched it. */
  lead: number
  service: number
  operation: number
  process: number
  language: number
  /** Row in Resources. */
  resource: number
  shiftNs: number
  /** 1 = own time up to the beginning of a call. */
  beforeCall: number
  /** 1 = own time of a span that does nothing but call another language of its process. */
  handsOver: number
  /** When its request arrived, on the process's clock. */
  arrivedNs: number
  /** When that request began its first call, on the same clock; Infinity without. */
  firstCallNs: number
  /** 1 = a whole span without children whose busy time is known. */
  pollsKnown: number
  /** By how much its own process may have stretched it, as that says, or the callee's the gap before; 0 when neither does. */
  unwatchedNs: number
  /** The peer's process, its row in Resources and its shift; 0 without. */
  peerProcess: number
  peerResource: number
  peerShiftNs: number
}

export const createSuspect = (): Suspect => ({
  span: 0,
  entry: 0,
  kind: 0,
  fromNs: 0,
  toNs: 0,
  offsetNs: 0,
  medianNs: 0,
  stretched: 0,
  accounted: 0,
  lead: 0,
  service: 0,
  operation: 0,
  process: 0,
  language: 0,
  resource: 0,
  shiftNs: 0,
  beforeCall: 0,
  handsOver: 0,
  arrivedNs: 0,
  firstCallNs: 0,
  pollsKnown: 0,
  unwatchedNs: 0,
  peerProcess: 0,
  peerResource: 0,
  peerShiftNs: 0
})

const fields = Object.keys(createSuspect()) as (keyof Suspect)[]

/** Suspects in one array, so that a trace that waits keeps them without an object each. */
export interface Suspects {
  readonly n: () => number
  readonly begin: () => void
  readonly add: (suspect: Suspect) => void
  /** What was added since `begin`. */
  readonly copy: () => Float64Array
}

export function createSuspects(): Suspects {
  let cells = new Float64Array(64)
  let n = 0
  return {
    n: () => n,
    begin() {
      n = 0
    },
    add(suspect) {
      cells = enlarge(cells, (n + 1) * fields.length)
      let at = n++ * fields.length
      for (const field of fields) cells[at++] = suspect[field]
    },
    copy: () => cells.slice(0, n * fields.length)
  }
}

export const suspectsIn = (cells: Float64Array): number => cells.length / fields.length

export function readSuspect(cells: Float64Array, index: number, suspect: Suspect): void {
  let at = index * fields.length
  for (const field of fields) suspect[field] = cells[at++] as number
}
