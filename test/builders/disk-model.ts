import { type Folder, type WrittenFile } from '../../src/runtime/segments/index.ts'

/** What is asked of a disk: tests let some of it go wrong. */
export type DiskOperation =
  'create' | 'overwrite' | 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'sync folder' | 'list' | 'open'
/** Throws to fail the operation; of a write, says how many bytes it takes. */
export type Trouble = (operation: DiskOperation, name: string) => number | undefined

interface Content {
  /** What is there while the power is on. */
  seen: Buffer
  /** What was there at the last sync. */
  durable: Buffer
}

/**
 * One folder on a disk that keeps only what it was asked to: after a power cut each block that was not synced is there or
 * not, on its own, and so is each name since the folder's last sync. Blocks are 512 B or 4 KiB.
 */
export interface DiskModel {
  readonly folder: Folder
  /** From the next operation on. */
  readonly trouble: (happens: Trouble | undefined) => void
  /** The disk as it may be found after a power cut now. */
  readonly powerCut: (random: () => number) => DiskModel
  /** As it is found when only the process dies. */
  readonly killed: () => DiskModel
  /** Changes bytes in place; for tests that damage files. */
  readonly damage: (name: string, change: (bytes: Buffer) => Buffer) => void
  readonly names: () => string[]
  /** Of a file. */
  readonly bytes: (name: string) => number
}

export function createDisk(files = new Map<string, Content>()): DiskModel {
  const named = new Map(files)
  let durableNames = new Map(files)
  let happens: Trouble | undefined

  function ask(operation: DiskOperation, name: string): number | undefined {
    return happens?.(operation, name)
  }

  function contentOf(name: string): Content {
    const content = named.get(name)
    if (content === undefined) throw Object.assign(new Error(`no ${name}`), { code: 'ENOENT' })
    return content
  }

  function sync(name: string, content: Content): void {
    ask('sync', name)
    content.durable = content.seen
  }

  /** Turns what throws into a promise that rejects, as the real ones do. */
  const later = <T>(work: () => T | Promise<T>): Promise<T> => Promise.resolve().then(work)

  function written(name: string, content: Content, writeThrough: boolean): WrittenFile {
    return {
      write: (parts, at) =>
        later(() => {
          const bytes = Buffer.concat(parts)
          const taken = Math.min(ask('write', name) ?? bytes.length, bytes.length)
          const before = Buffer.alloc(Math.max(at, content.seen.length))
          content.seen.copy(before)
          content.seen = Buffer.concat([before.subarray(0, at), bytes.subarray(0, taken), before.subarray(at + taken)])
          if (writeThrough) sync(name, content)
          return taken
        }),
      sync: () =>
        later(() => {
          sync(name, content)
        }),
      truncate: (bytes) =>
        later(() => {
          ask('truncate', name)
          content.seen = content.seen.subarray(0, bytes)
        }),
      close: () => Promise.resolve()
    }
  }

  const folder: Folder = {
    list: () =>
      later(() => {
        ask('list', '')
        return [...named.keys()]
      }),
    create: (name, writeThrough) =>
      later(() => {
        if (named.has(name)) throw Object.assign(new Error(`${name} is there`), { code: 'EEXIST' })
        ask('create', name)
        const content = { seen: Buffer.alloc(0), durable: Buffer.alloc(0) }
        named.set(name, content)
        return written(name, content, writeThrough)
      }),
    overwrite: (name, writeThrough) =>
      later(() => {
        ask('overwrite', name)
        return written(name, contentOf(name), writeThrough)
      }),
    open: (name) =>
      later(() => {
        ask('open', name)
        const content = contentOf(name)
        return {
          bytes: content.seen.length,
          // As it is by then, whatever its name.
          read: (at, into) => Promise.resolve(content.seen.copy(into, 0, at)),
          close: () => Promise.resolve()
        }
      }),
    truncate: (name, bytes) =>
      later(() => {
        ask('truncate', name)
        const content = contentOf(name)
        content.seen = content.seen.subarray(0, bytes)
      }),
    rename: (from, to) =>
      later(() => {
        ask('rename', from)
        named.set(to, contentOf(from))
        named.delete(from)
      }),
    remove: (name) =>
      later(() => {
        ask('remove', name)
        named.delete(name)
      }),
    sync: () =>
      later(() => {
        ask('sync folder', '')
        durableNames = new Map(named)
      }),
    freeShare: () => Promise.resolve(1)
  }

  return {
    folder,
    trouble(wanted) {
      happens = wanted
    },
    powerCut(random) {
      const found = new Map<string, Content>()
      const blockBytes = random() < 0.5 ? 512 : 4096
      for (const name of new Set([...durableNames.keys(), ...named.keys()])) {
        const content = random() < 0.5 ? durableNames.get(name) : named.get(name)
        const sure = durableNames.get(name) === named.get(name) ? named.get(name) : content
        if (sure !== undefined) found.set(name, settled(afterCut(sure, blockBytes, random)))
      }
      return createDisk(found)
    },
    killed: () => createDisk(new Map([...named].map(([name, { seen }]) => [name, settled(seen)]))),
    damage(name, change) {
      const content = contentOf(name)
      content.seen = change(Buffer.from(content.seen))
      content.durable = content.seen
    },
    names: () => [...named.keys()].sort(),
    bytes: (name) => contentOf(name).seen.length
  }
}

function settled(bytes: Buffer): Content {
  return { seen: bytes, durable: bytes }
}

function afterCut({ seen, durable }: Content, blockBytes: number, random: () => number): Buffer {
  if (seen === durable) return seen
  const bytes = Buffer.alloc(durable.length + Math.floor(random() * Math.max(1, seen.length - durable.length + 1)))
  for (let at = 0; at < bytes.length; at += blockBytes) {
    // A block that holds synced bytes is written whole or not at all: what was synced in it is in both.
    const from = random() < 0.5 ? durable : seen
    if (at < from.length) from.copy(bytes, at, at, Math.min(at + blockBytes, bytes.length))
  }
  return bytes
}
