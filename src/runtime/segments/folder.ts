import { type FileHandle, mkdir, open, readdir, rename, statfs, truncate, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/** One folder, as far as a log needs it. Tests put a model of a failing disk in its place. */
export interface Folder {
  readonly list: () => Promise<readonly string[]>
  /** A file that is not there yet; its name is durable after `sync`. */
  readonly create: (name: string) => Promise<AppendedFile>
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
  /** Writes at the end, and says how many of the bytes it wrote. */
  readonly write: (bytes: Uint8Array) => Promise<number>
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

/** A folder of the machine, made if it is missing. */
export async function openFolder(path: string): Promise<Folder> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  return {
    list: () => readdir(path),
    create: async (name) => appended(await open(join(path, name), 'ax', 0o600)),
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

function appended(file: FileHandle): AppendedFile {
  return {
    write: async (bytes) => (await file.write(bytes)).bytesWritten,
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
