import { Delivery } from '../../model/forwarding.ts'
import { type DestinationSettings } from '../settings.ts'
import { type Parcel, type ParcelQueue, type ParcelQueueTools, type Waiting } from './parcel-queue.ts'

export interface MemoryQueueTools extends ParcelQueueTools {
  /** A parcel was taken, to its last byte. */
  readonly delivered: (parcel: Parcel) => void
}

/** Ends with the process. */
export function createMemoryQueue(
  { queueBytesMax, onFull }: Pick<DestinationSettings, 'queueBytesMax' | 'onFull'>,
  { dropped, delivered }: MemoryQueueTools
): ParcelQueue {
  const waiting: Waiting[] = []
  let bytes = 0
  let closed = false

  function done({ parcel }: Waiting): void {
    bytes -= parcel.bytes.length
  }

  function drop(one: Waiting, delivery: number): void {
    done(one)
    dropped(delivery, one.parcel.spans)
  }

  /** Drops the oldest that are not under way until there is room. */
  function makeRoom(wanted: number): boolean {
    if (onFull === 'drop_oldest') {
      while (bytes + wanted > queueBytesMax) {
        const oldest = waiting.shift()
        if (oldest === undefined) break
        drop(oldest, Delivery.queueFull)
      }
    }
    return bytes + wanted <= queueBytesMax
  }

  return {
    open: () => Promise.resolve(),
    add(parcel) {
      if (closed || !makeRoom(parcel.bytes.length)) {
        dropped(closed ? Delivery.shutdown : Delivery.queueFull, parcel.spans)
        return
      }
      bytes += parcel.bytes.length
      waiting.push({ parcel, triedMs: NaN, position: undefined })
    },
    next: () => waiting.shift(),
    putBack(one) {
      if (closed) drop(one, Delivery.shutdown)
      else waiting.unshift(one)
    },
    taken(one) {
      done(one)
      delivered(one.parcel)
    },
    done,
    tick: () => undefined,
    isEmpty: () => waiting.length === 0,
    kept: () => Promise.resolve(),
    bytes: () => bytes,
    memoryBytes: () => bytes,
    disk: () => undefined,
    close() {
      closed = true
      for (const one of waiting.splice(0)) drop(one, Delivery.shutdown)
      return Promise.resolve()
    }
  }
}
