import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { dirname, join } from 'node:path'

/** Reads a file, undefined where there is none. */
export type ReadText = (path: string) => string | undefined

/** How much memory this process may come to use, and who says so. */
export interface MemoryAllowance {
  readonly bytes: number
  readonly saidBy: 'cgroup' | 'machine'
}

const ROOT = '/sys/fs/cgroup'

/**
 * The tightest limit of this process's control group and of those above it, else all that the machine has. Read from the
 * files: process.constrainedMemory() tells 1.8e19 where there is no limit, knows nothing of `memory.high`, at which the
 * kernel begins to slow the process down, and looks at one group only.
 */
export function memoryAllowance(read: ReadText = readText, machineBytes: number = totalmem()): MemoryAllowance {
  const limits = groupsOf(read('/proc/self/cgroup') ?? '')
    .flatMap(({ folder, files }) => upwards(folder).flatMap((group) => files.map((file) => join(group, file))))
    .map((path) => Number.parseInt(read(path) ?? '', 10))
    .filter((bytes) => bytes > 0 && bytes < machineBytes)
  return limits.length === 0
    ? { bytes: machineBytes, saidBy: 'machine' }
    : { bytes: Math.min(...limits), saidBy: 'cgroup' }
}

interface Group {
  readonly folder: string
  readonly files: readonly string[]
}

/** Of version 1 a line with `memory` among its controllers, of version 2 the one with number 0 and none: `0::/the/group`. */
function groupsOf(cgroup: string): Group[] {
  return cgroup.split('\n').flatMap((line): Group[] => {
    const [number, controllers, ...path] = line.split(':')
    const group = path.join(':')
    if (controllers?.split(',').includes('memory') === true) {
      return [{ folder: join(ROOT, 'memory', group), files: ['memory.limit_in_bytes'] }]
    }
    return number === '0' ? [{ folder: join(ROOT, group), files: ['memory.max', 'memory.high'] }] : []
  })
}

/** A container may see its own group as the root, whatever its path is outside: so up to the root, and no further. */
function upwards(folder: string): string[] {
  return folder === ROOT || folder === '/' ? [folder] : [folder, ...upwards(dirname(folder))]
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
