import { Fault } from '../fault.ts'
import { setAside } from './aside.ts'
import { type Folder } from './folder.ts'
import { segmentName } from './format.ts'
import { fileBytesOf, type KnownSegment } from './known-segment.ts'
import { createSpares, type Spare } from './spares.ts'

export interface RoomOptions {
  readonly folder: Folder
  /** Segments that were found; what is begun is added, what is removed is gone from them. */
  readonly segments: KnownSegment[]
  /** All segments together. */
  readonly bytesMax: number
  /** Of the file system must stay free. */
  readonly freeShareMin: number
  /** What is full: `drop` gives up the oldest segments, `fail` takes nothing more. */
  readonly whenFull: 'drop' | 'fail'
  /** The segment that is being written: it stays. */
  readonly current: () => KnownSegment | undefined
  /** What the file of the next one takes. */
  readonly nextBytes: () => number
  readonly counts: RoomCounts
}

/** What a log takes of the disk, and what goes when it needs more than it may take. */
export interface Room {
  readonly fits: (bytes: number) => boolean
  /** Within the log's own size. */
  readonly makeRoom: (bytes: number) => Promise<void>
  readonly hasSpace: () => Promise<boolean>
  /** On the file system, for another segment. */
  readonly makeSpace: () => Promise<void>
  /** False when there is none to drop. */
  readonly dropOldest: () => Promise<boolean>
  /** Removes the segments all of whose records come before this one. */
  readonly removeBefore: (sequence: number) => Promise<void>
  readonly takeSpare: () => Spare | undefined
  /** Removes a file that is kept to be written over; false when there is none. */
  readonly giveUpSpare: () => Promise<boolean>
  readonly spareBytes: () => number
}

export interface RoomCounts {
  /** Segments given up because the log was full. */
  dropped: number
  /** Files that could not be removed or put aside. */
  stuck: number
}

/** Of all that the log may have on disk. */
const SPARE_SHARE_MAX = 1 / 8

export function createRoom({ folder, segments, counts, ...options }: RoomOptions): Room {
  const { bytesMax, current } = options
  const spares = createSpares({ folder, bytesMax: bytesMax * SPARE_SHARE_MAX, hasSpace })

  function fits(bytes: number): boolean {
    const onDisk = segments.reduce((sum, segment) => sum + fileBytesOf(segment), options.nextBytes() + spares.bytes())
    return onDisk + bytes <= bytesMax
  }

  async function hasSpace(): Promise<boolean> {
    return (await folder.freeShare()) >= options.freeShareMin
  }

  async function giveUpOldest(why: string): Promise<void> {
    if (await spares.giveUp()) return
    if (options.whenFull === 'fail' || !(await dropOldest())) throw new Fault('BUSY', why)
  }

  async function dropOldest(): Promise<boolean> {
    const oldest = segments[0]
    if (oldest === undefined || oldest === current()) return false
    counts.dropped += 1
    await remove(oldest)
    return true
  }

  async function remove(segment: KnownSegment): Promise<void> {
    segments.splice(segments.indexOf(segment), 1)
    const name = segmentName(segment.number)
    try {
      if (segment.damaged) await setAside(folder, name)
      else if (!(await spares.keep(segment))) await folder.remove(name)
    } catch {
      counts.stuck += 1
    }
  }

  return {
    fits,
    async makeRoom(bytes) {
      while (!fits(bytes)) await giveUpOldest('the log is full')
    },
    hasSpace,
    async makeSpace() {
      while (!(await hasSpace())) await giveUpOldest('the file system has too little free space')
    },
    dropOldest,
    async removeBefore(sequence) {
      for (let oldest = segments[0]; oldest !== undefined; oldest = segments[0]) {
        if (oldest === current() || oldest.last >= sequence) return
        await remove(oldest)
      }
    },
    takeSpare: spares.take,
    giveUpSpare: spares.giveUp,
    spareBytes: spares.bytes
  }
}
