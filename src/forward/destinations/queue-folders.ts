import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Fault } from '../../runtime/fault.ts'
import { type Folder, openFolder } from '../../runtime/segments/index.ts'

/** A folder for each destination, of its name: names of destinations hold nothing that a path would take otherwise. */
export interface QueueFolders {
  readonly open: (destination: string) => Promise<Folder>
  /** Folders of others. */
  readonly besides: (destinations: readonly string[]) => Promise<readonly string[]>
}

/** Below the segment log, which looks only at files with names of its own. */
const FOLDER = 'forward'

/** Throws BAD_SETTINGS where a folder cannot be used. */
export function createQueueFolders(directory: string): QueueFolders {
  const root = join(directory, FOLDER)

  async function usable<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (reason) {
      throw new Fault('BAD_SETTINGS', `segment_log.directory: ${Fault.from(reason).message}`, { cause: reason })
    }
  }

  return {
    open: (destination) => usable(() => openFolder(join(root, destination))),
    besides: (destinations) =>
      usable(async () => {
        await mkdir(root, { recursive: true, mode: 0o700 })
        const entries = await readdir(root, { withFileTypes: true })
        const folders = entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
        return folders.filter((name) => !destinations.includes(name)).sort()
      })
  }
}
