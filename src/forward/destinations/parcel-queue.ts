import { type QueueOnDisk } from '../../model/forwarding.ts'
import { type Chunk } from '../outbox.ts'

/** A chunk on its way to several destinations, which share its compressed form. */
export interface Parcel extends Chunk {
  gzipped?: Promise<Buffer>
  /** Who has not taken it yet. Of a destination that failed for good it may still be on the wire, so that one stays. */
  readers: number
}

/** A parcel whose turn may come, or that is under way. */
export interface Waiting {
  readonly parcel: Parcel
  /** When it was tried first, NaN before. */
  triedMs: number
  /** Where it lies on disk; undefined in memory. */
  readonly position: number | undefined
}

/** What waits for one destination, in memory or on disk, and is bounded by the same bytes and gives way alike. */
export interface ParcelQueue {
  /** Finds what an earlier process left. */
  readonly open: () => Promise<void>
  /** Takes a parcel, or drops it or older ones for lack of room. */
  readonly add: (parcel: Parcel) => void
  /** The oldest of those that are at hand, now under way. */
  readonly next: () => Waiting | undefined
  /** It is the oldest again. */
  readonly putBack: (waiting: Waiting) => void
  /** It was delivered, to its last byte. */
  readonly taken: (waiting: Waiting) => void
  /** It will never be. */
  readonly done: (waiting: Waiting) => void
  readonly tick: () => void
  readonly isEmpty: () => boolean
  /** Resolves when all that was added so far is as safe as it gets. */
  readonly kept: () => Promise<void>
  /** Waiting and under way. */
  readonly bytes: () => number
  /** Of memory. */
  readonly memoryBytes: () => number
  readonly disk: () => QueueOnDisk | undefined
  readonly close: () => Promise<void>
}

export interface ParcelQueueTools {
  /** Spans that are given up, by Delivery. */
  readonly dropped: (delivery: number, spans: number) => void
  /** There is a next one, which there was not when it was asked for. */
  readonly ready: () => void
}
