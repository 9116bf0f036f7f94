import { type Folder } from './folder.ts'
import { segmentName, spareName } from './format.ts'
import { fileBytesOf, type KnownSegment } from './known-segment.ts'

/** A file whose records nobody needs any more. */
export interface Spare {
  readonly name: string
  readonly bytes: number
}

export interface SparesOptions {
  readonly folder: Folder
  /** Of all of them. */
  readonly bytesMax: number
  /** Whether the file system has more than others should be left. */
  readonly hasSpace: () => Promise<boolean>
}

/**
 * Files that are kept to be written over: where neither a file's length nor its place changes, the disk has only its bytes to
 * write, and the machine has the pages for them already.
 */
export interface Spares {
  /** Keeps a segment's file; false when it is to be removed as others are. */
  readonly keep: (segment: KnownSegment) => Promise<boolean>
  readonly take: () => Spare | undefined
  readonly bytes: () => number
  /** Removes one; false when there is none. */
  readonly giveUp: () => Promise<boolean>
}

const FILES_MAX = 16

export function createSpares({ folder, bytesMax, hasSpace }: SparesOptions): Spares {
  const spares: Spare[] = []
  const bytes = (): number => spares.reduce((sum, spare) => sum + spare.bytes, 0)

  return {
    async keep(segment) {
      const spare = { name: spareName(segment.number), bytes: fileBytesOf(segment) }
      if (spares.length >= FILES_MAX || bytes() + spare.bytes > bytesMax || !(await hasSpace())) return false
      await folder.rename(segmentName(segment.number), spare.name)
      spares.push(spare)
      return true
    },
    take: () => spares.shift(),
    bytes,
    async giveUp() {
      const spare = spares.pop()
      if (spare === undefined) return false
      await folder.remove(spare.name)
      return true
    }
  }
}
