import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, statfs, truncate, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/** One folder, as far as a log needs it. Tests put a model of a failing disk in its place. */
export interface Folder {
  readonly list: () => Promise<readonly string[]>
  /** A file that is not there yet; its name is durable after `sync`. Written through, each write is durable when it resolves. */
  readonly create: (name: string, writeThrough: boolean) => Promise<AppendedFile>
  readonly open: (name: string) => Promise<ReadFile>
  readonly truncate: (name: string, bytes: number) => Promise<void>
  readonly rename: (from: string, to: string) => Promise<void>
  readonly remove: (name: string) => Promise<void>
  /** Makes the names in the folder durable, as they are now. */
  readonly sync: () => Promise<void>
  /** Of the file system: how much of it is free for us. */
  readonly freeShare: () => Promise<number>
}

export interface AppendedFile {
  /** Writes one part after the other at the end, and says how many of their bytes it wrote. */
  readonly write: (parts: readonly Uint8Array[]) => Promise<number>
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

const { O_APPEND, O_CREAT, O_EXCL, O_WRONLY, O_DSYNC } = constants
const NEW_FILE = O_WRONLY | O_APPEND | O_CREAT | O_EXCL
/** Linux writes and syncs in one call: between two calls a thread that is busy with requests may not look for tens of milliseconds. */
const SYNCS_ITSELF = process.platform === 'linux' ? O_DSYNC : 0

/** A folder of the machine, made if it is missing. */
export async function openFolder(path: string): Promise<Folder> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  return {
    list: () => readdir(path),
    async create(name, writeThrough) {
      const flags = writeThrough ? NEW_FILE | SYNCS_ITSELF : NEW_FILE
      return appended(await open(join(path, name), flags, 0o600), writeThrough && SYNCS_ITSELF === 0)
    },
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

function appended(file: FileHandle, syncsEach: boolean): AppendedFile {
  return {
    async write(parts) {
      const { bytesWritten } = await file.writev(parts)
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
