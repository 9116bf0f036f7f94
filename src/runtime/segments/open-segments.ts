import { Fault } from '../fault.ts'
import { type Part } from './batch.ts'
import { type Folder, type WrittenFile } from './folder.ts'
import { sealRecords, segmentHead, segmentName } from './format.ts'
import { type KnownSegment } from './known-segment.ts'
import { type Spare } from './spares.ts'

export interface OpenSegmentsOptions {
  readonly folder: Folder
  readonly nextNumber: number
  /** Each write is durable when it resolves; else only what was synced is. */
  readonly writeThrough: boolean
  /** Whether there is space for one segment more. */
  readonly hasSpace: () => Promise<boolean>
  /** A file to write over, if there is one. */
  readonly takeSpare: () => Spare | undefined
  /** Told how long each sync took, or a write that is one. */
  readonly synced: (ms: number) => void
}

/**
 * The segment that is written, and the next one, made ready meanwhile: making a file durable takes several calls, and whoever
 * wants to write would wait for all of them. One call at a time, `write` and `sync` aside.
 */
export interface OpenSegments {
  readonly current: () => KnownSegment | undefined
  /** Whether the next segment is ready. */
  readonly hasNext: () => Promise<boolean>
  /** What its file takes of the disk. */
  readonly nextBytes: () => number
  /** Goes on in the next one, which is known from here on. */
  readonly begin: () => Promise<KnownSegment>
  /**
   * May be called before earlier writes are done. They are done in the order of the calls, and when one fails so do all after it:
   * whatever is done has no hole before it.
   */
  readonly write: (parts: readonly Part[], last: number) => Promise<void>
  /** What was written so far is durable. */
  readonly sync: () => Promise<void>
  /** Syncs and closes the current one. */
  readonly finish: () => Promise<void>
  /** Closes it without what was written in part, where that still works; once no write is under way. */
  readonly abandon: () => Promise<void>
  /** The next one is not wanted: a disk that failed has to make it anew. */
  readonly discardNext: () => Promise<void>
}

interface OpenSegment {
  readonly file: WrittenFile
  readonly known: KnownSegment
  dirty: boolean
  /** Where the next write begins: `known` counts only what is done. */
  end: number
  /** The last write and all before it. */
  writes: Promise<unknown>
}

export function createOpenSegments({ folder, writeThrough, ...options }: OpenSegmentsOptions): OpenSegments {
  let { nextNumber } = options
  let current: OpenSegment | undefined
  let next: Promise<OpenSegment | undefined> = Promise.resolve(undefined)
  let nextBytes = 0
  let tidying: Promise<unknown> = Promise.resolve()

  /** With its head and its name durable, or none of it there. */
  async function make(spare: Spare | undefined): Promise<OpenSegment> {
    const number = nextNumber++
    const name = segmentName(number)
    const head = segmentHead({ number, isWrittenOver: spare !== undefined })
    const known = { number, last: -Infinity, bytes: head.length, bytesBefore: spare?.bytes ?? 0, damaged: false }
    let file: WrittenFile | undefined
    await tidying
    try {
      file = await (spare === undefined
        ? folder.create(name, writeThrough)
        : folder.overwrite(spare.name, writeThrough))
      await writeAll(file, [head], 0)
      if (!writeThrough) await file.sync()
      // Not before: under that name nobody may find what the file held.
      if (spare !== undefined) await folder.rename(spare.name, name)
      await folder.sync()
      return { file, known, dirty: false, end: head.length, writes: Promise.resolve() }
    } catch (reason) {
      await file?.close().catch(() => undefined)
      if (spare !== undefined) await folder.remove(spare.name).catch(() => undefined)
      await folder.remove(name).catch(() => undefined)
      throw reason
    }
  }

  async function makeReady(): Promise<OpenSegment | undefined> {
    const spare = options.takeSpare()
    nextBytes = spare?.bytes ?? 0
    return spare !== undefined || (await options.hasSpace()) ? make(spare) : undefined
  }

  async function writeParts({ file }: OpenSegment, parts: readonly Part[], at: number): Promise<void> {
    const startMs = performance.now()
    await writeAll(
      file,
      parts.map(({ bytes }) => bytes),
      at
    )
    if (writeThrough) options.synced(performance.now() - startMs)
  }

  async function sync(): Promise<void> {
    const segment = current
    if (segment?.dirty !== true) return
    const startMs = performance.now()
    // What is written from here on may be left out.
    segment.dirty = false
    await segment.file.sync()
    options.synced(performance.now() - startMs)
  }

  return {
    current: () => current?.known,
    hasNext: async () => (await next) !== undefined,
    nextBytes: () => nextBytes,
    async begin() {
      current = (await next) ?? (await make(options.takeSpare()))
      next = makeReady().catch(() => {
        nextBytes = 0
        return undefined
      })
      return current.known
    },
    async write(parts, last) {
      if (current === undefined) throw new Fault('BUG', 'no segment is open')
      const segment = current
      const { known } = segment
      for (const { bytes, holds } of parts) if (holds === 'records') sealRecords(bytes, known.number)
      const at = segment.end
      const end = at + parts.reduce((sum, { bytes }) => sum + bytes.length, 0)
      segment.end = end
      segment.writes = allOf([segment.writes, writeParts(segment, parts, at)])
      await segment.writes
      known.bytes = end
      known.last = last
      // Not before: a sync may have begun meanwhile.
      if (!writeThrough) segment.dirty = true
    },
    sync,
    async finish() {
      await sync()
      if (current === undefined) return
      // All of it is durable: no write has to wait for this.
      tidying = tidy(current)
      current = undefined
    },
    async abandon() {
      if (current === undefined) return
      const abandoned = current
      current = undefined
      await tidy(abandoned)
    },
    async discardNext() {
      const unwanted = await next
      next = Promise.resolve(undefined)
      nextBytes = 0
      if (unwanted === undefined) return
      await unwanted.file.close().catch(() => undefined)
      await folder.remove(segmentName(unwanted.known.number)).catch(() => undefined)
    }
  }
}

/** Cuts off what is none of it: what was written in part, or what the file held before. */
async function tidy({ file, known }: OpenSegment): Promise<void> {
  await file.truncate(known.bytes).catch(() => undefined)
  await file.close().catch(() => undefined)
}

async function writeAll(file: WrittenFile, parts: readonly Uint8Array[], at: number): Promise<void> {
  let place = at
  for (let left = parts; left.length > 0;) {
    const written = await file.write(left, place)
    if (written === 0) throw new Fault('BUSY', 'the disk took nothing')
    place += written
    left = behind(left, written)
  }
}

/** Settles once all of them have, and fails as the first that did. */
async function allOf(all: readonly Promise<unknown>[]): Promise<void> {
  for (const one of await Promise.allSettled(all)) if (one.status === 'rejected') throw one.reason
}

/** What follows the first so many bytes. */
function behind(parts: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skip = bytes
  let at = 0
  for (let part = parts[at]; part !== undefined && part.length <= skip; part = parts[++at]) skip -= part.length
  const [first, ...rest] = parts.slice(at)
  return first === undefined ? [] : [first.subarray(skip), ...rest]
}
