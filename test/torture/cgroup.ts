import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Cgroup {
  readonly add: (pid: number) => void
  /** Highest use so far, of memory that is charged to the group: buffers of sockets and cached files too. */
  readonly peakBytes: () => number
  /** How often the group's processes met the memory limit. */
  readonly memoryFailures: () => number
  /** Only once its processes have ended. */
  readonly remove: () => void
}

export interface CgroupLimits {
  readonly memoryBytes?: number
  /** Share of one core. */
  readonly cpus?: number
}

const ROOT = '/sys/fs/cgroup'
const PERIOD_US = 20_000
let made = 0

/** A control group of the kernel with these limits, of either version; undefined where this user may not make one. */
export function makeCgroup(limits: CgroupLimits): Cgroup | undefined {
  const name = `tailspan-torture-${process.pid}-${(made += 1)}`
  try {
    return existsSync(join(ROOT, 'memory')) ? version1(name, limits) : version2(name, limits)
  } catch {
    return undefined
  }
}

function version1(name: string, { memoryBytes, cpus }: CgroupLimits): Cgroup {
  const memory = join(ROOT, 'memory', name)
  const cpu = join(ROOT, 'cpu', name)
  mkdirSync(memory)
  mkdirSync(cpu)
  if (memoryBytes !== undefined) writeFileSync(join(memory, 'memory.limit_in_bytes'), String(memoryBytes))
  if (cpus !== undefined) {
    writeFileSync(join(cpu, 'cpu.cfs_period_us'), String(PERIOD_US))
    writeFileSync(join(cpu, 'cpu.cfs_quota_us'), String(Math.round(PERIOD_US * cpus)))
  }
  const numberIn = (file: string): number => Number(readFileSync(join(memory, file), 'utf8'))
  return {
    add(pid) {
      for (const folder of [memory, cpu]) writeFileSync(join(folder, 'cgroup.procs'), String(pid))
    },
    peakBytes: () => numberIn('memory.max_usage_in_bytes'),
    memoryFailures: () => numberIn('memory.failcnt'),
    remove() {
      for (const folder of [memory, cpu]) rmdirSync(folder)
    }
  }
}

function version2(name: string, { memoryBytes, cpus }: CgroupLimits): Cgroup {
  const folder = join(ROOT, name)
  writeFileSync(join(ROOT, 'cgroup.subtree_control'), '+memory +cpu')
  mkdirSync(folder)
  if (memoryBytes !== undefined) writeFileSync(join(folder, 'memory.max'), String(memoryBytes))
  if (cpus !== undefined) writeFileSync(join(folder, 'cpu.max'), `${Math.round(PERIOD_US * cpus)} ${PERIOD_US}`)
  return {
    add(pid) {
      writeFileSync(join(folder, 'cgroup.procs'), String(pid))
    },
    peakBytes: () => Number(readFileSync(join(folder, 'memory.peak'), 'utf8')),
    memoryFailures: () => Number(/^max (\d+)/m.exec(readFileSync(join(folder, 'memory.events'), 'utf8'))?.[1] ?? 0),
    remove() {
      rmdirSync(folder)
    }
  }
}
