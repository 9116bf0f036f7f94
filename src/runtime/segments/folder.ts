import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, statfs, truncate, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/** One folder, as far as a log needs it. Tests put a model of a failing disk in its place. */
export interface Folder {
  readonly list: () => Promise<readonly string[]>
  /** A file that is not there yet; its name is durable after `sync`. Written through, each write is durable when it resolves. */
  readonly create: (name: string, writeThrough: boolean) => Promise<WrittenFile>
  /** A file that is there, written from its start over what it holds. */
  readonly overwrite: (name: string, writeThrough: boolean) => Promise<WrittenFile>
  readonly open: (name: string) => Promise<ReadFile>
  readonly truncate: (name: string, bytes: number) => Promise<void>
  readonly rename: (from: string, to: string) => Promise<void>
  readonly remove: (name: string) => Promise<void>
  /** Makes the names in the folder durable, as they are now. */
  readonly sync: () => Promise<void>
  /** Of the file system: how much of it is free for us. */
  readonly freeShare: () => Promise<number>
}

export interface WrittenFile {
  /** Writes one part after the other from a place on, and says how many of their bytes it wrote. Two may be under way. */
  readonly write: (parts: readonly Uint8Array[], at: number) => Promise<number>
  /** What was written is durable when this resolves. */
  readonly sync: () => Promise<void>
  readonly truncate: (bytes: number) => Promise<void>
  readonly close: () => Promise<void>
}

export interface ReadFile {
  readonly bytes: number
  /** Fills `into` from a place in the file, and says how many bytes there were. */
  readonly read: (at: number, into: Uint8Array) => Promise<number>
  readonly close: () => Promise<void>
}

const { O_CREAT, O_EXCL, O_WRONLY, O_DSYNC } = constants
/** Linux writes and syncs in one call: between two calls a thread that is busy with requests may not look for tens of milliseconds. */
const SYNCS_ITSELF = process.platform === 'linux' ? O_DSYNC : 0

/** A folder of the machine, made if it is missing. */
export async function openFolder(path: string): Promise<Folder> {
  await mkdir(path, { recursive: true, mode: 0o700 })

  async function openToWrite(name: string, flags: number, writeThrough: boolean): Promise<WrittenFile> {
    const file = await open(join(path, name), O_WRONLY | flags | (writeThrough ? SYNCS_ITSELF : 0), 0o600)
    return written(file, writeThrough && SYNCS_ITSELF === 0)
  }

  return {
    list: () => readdir(path),
    create: (name, writeThrough) => openToWrite(name, O_CREAT | O_EXCL, writeThrough),
    overwrite: (name, writeThrough) => openToWrite(name, 0, writeThrough),
    async open(name) {
      const file = await open(join(path, name), 'r')
      return { bytes: (await file.stat()).size, ...reading(file) }
    },
    truncate: (name, bytes) => truncate(join(path, name), bytes),
    rename: (from, to) => rename(join(path, from), join(path, to)),
    remove: (name) => unlink(join(path, name)),
    async sync() {
      const folder = await open(path, 'r')
      try {
        await folder.sync()
      } finally {
        await folder.close()
      }
    },
    async freeShare() {
      const { bavail, blocks } = await statfs(path)
      return blocks === 0 ? 1 : bavail / blocks
    }
  }
}

function written(file: FileHandle, syncsEach: boolean): WrittenFile {
  return {
    async write(parts, at) {
      const { bytesWritten } = await file.writev(parts, at)
      if (syncsEach) await file.datasync()
      return bytesWritten
    },
    sync: () => file.datasync(),
    truncate: (bytes) => file.truncate(bytes),
    close: () => file.close()
  }
}

function reading(file: FileHandle): Omit<ReadFile, 'bytes'> {
  return {
    read: async (at, into) => (await file.read(into, 0, into.length, at)).bytesRead,
    close: () => file.close()
  }
}
