import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Fault } from '../runtime/fault.ts'
import { FileReload, type AccessCounters } from './counters.ts'

/** Larger files are neither certificates nor credentials. */
const FILE_BYTES_MAX = 1024 ** 2

export interface WatchedFiles {
  /** Reads and takes over what is there now. Throws BAD_SETTINGS. */
  readonly load: () => Promise<void>
  /** Takes over what has changed since; what cannot be used changes nothing and is told once. */
  readonly look: () => Promise<void>
}

export interface WatchedFilesOptions {
  readonly paths: readonly string[]
  /** Given the contents, in the order of the paths. Throws to refuse them. */
  readonly take: (contents: readonly Buffer[]) => void
  readonly counters: AccessCounters
  readonly log: {
    readonly info: (fields: object, message: string) => void
    readonly error: (fields: object, message: string) => void
  }
}

/**
 * Files that belong together, such as a certificate and its key. They are compared by content: in Kubernetes a mounted
 * secret is a link whose target is exchanged, so neither its time nor an event of the file system tells.
 */
export function createWatchedFiles({ paths, take, counters, log }: WatchedFilesOptions): WatchedFiles {
  let seen: string | undefined

  return {
    async load() {
      const contents = await readAll(paths)
      seen = digestOf(contents)
      take(contents)
    },
    async look() {
      const found = await readAll(paths).catch((reason: unknown) => Fault.from(reason))
      const now = found instanceof Fault ? found.message : digestOf(found)
      if (now === seen) return
      seen = now
      try {
        if (found instanceof Fault) throw found
        take(found)
        counters.add('tail_access_reloads_total', 1, FileReload.ok)
        log.info({ files: paths }, 'files had changed; what they say is in force')
      } catch (reason) {
        counters.add('tail_access_reloads_total', 1, FileReload.refused)
        const { message } = Fault.from(reason)
        log.error({ problems: message.split('\n') }, 'files had changed and cannot be used; the old ones stay in force')
      }
    }
  }
}

/** Throws BAD_SETTINGS. */
function readAll(paths: readonly string[]): Promise<Buffer[]> {
  return Promise.all(paths.map(readSmallFile))
}

async function readSmallFile(path: string): Promise<Buffer> {
  try {
    await using file = await open(path)
    const { size } = await file.stat()
    if (size > FILE_BYTES_MAX) throw new Error(`it is larger than ${FILE_BYTES_MAX} bytes`)
    return await file.readFile()
  } catch (reason) {
    throw new Fault('BAD_SETTINGS', `${path}: ${Fault.from(reason).message}`, { cause: reason })
  }
}

function digestOf(contents: readonly Buffer[]): string {
  const hash = createHash('sha256')
  for (const content of contents) hash.update(`${content.length}:`).update(content)
  return hash.digest('base64')
}
