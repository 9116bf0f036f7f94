import { runInNewContext } from 'node:vm'
import { setFlagsFromString } from 'node:v8'
import { type HeldBytes, memoryParts, type MemoryPart } from '../../model/memory.ts'
import { createCounters } from '../../runtime/counters.ts'
import {
  createMemoryCells,
  createProcessBase,
  heldByThread,
  type MemoryCells,
  type StageBytes
} from '../../runtime/memory.ts'
import { createPressure, type PressureCause, pressureCauses, type Sight } from '../../runtime/pressure.ts'
import { residentMemory } from '../../runtime/process-memory.ts'

const LOOK_EVERY_MS = 100
/** Pages that a stranger's headers take are garbage soon, but V8 does not know how large it is: of so much of the limit it is told to look. */
const SHRINK_SHARE = 0.8
/** Trimming and a full collection are dear, and of no use when nothing is garbage: so ever more rarely while it lasts. */
const SHRINK_EVERY_MS = 1_000
const SHRINK_EVERY_MS_MAX = 60_000
const RETRY_AFTER_MS = 2_000
const MAIN_THREAD = 0

export const watchCounters = {
  tail_pressure_total: {
    help: 'Times that requests began to be refused: memory held, pages of the process, or an event loop that runs late.',
    label: 'cause',
    values: pressureCauses
  }
} as const

export interface MemoryWatchOptions {
  readonly limitBytes: number
  /** Beside the main one. */
  readonly otherThreads: number
  /** What this thread's stages hold. */
  readonly stages: () => StageBytes<MemoryPart>
  /** All that each other thread holds, as it said last. */
  readonly heldByOthers: () => readonly HeldBytes[]
  /** Gives back what is kept without need; the garbage is collected after it. */
  readonly trim: () => void
  /** Lets go of about so many bytes, closing traces early. */
  readonly relieve: (bytes: number) => void
  readonly log: {
    readonly info: (fields: object, message: string) => void
    readonly warn: (fields: object, message: string) => void
  }
}

/** Looks at the process ten times a second, whatever the stages do. */
export interface MemoryWatch {
  /** Once everything is up: what the process holds now beside its stages is what it needs to run. */
  readonly start: () => void
  readonly stop: () => void
  /** Bytes by part, all threads and the process itself; `unused` are pages that nobody holds: the C library has them for whoever asks next. */
  readonly held: () => Readonly<Record<string, number>>
  /** For accept: why a body is not to be read now. */
  readonly admission: () => { readonly cause: PressureCause; readonly retryAfterMs: number } | undefined
  readonly causes: () => readonly PressureCause[]
  readonly counters: { readonly samples: ReturnType<typeof createCounters>['samples'] }
  readonly cells: MemoryCells<MemoryPart>
}

export function createMemoryWatch(options: MemoryWatchOptions): MemoryWatch {
  const { limitBytes, stages, log } = options
  const cells = createMemoryCells({ parts: memoryParts, threads: 1 + options.otherThreads })
  const counters = createCounters(watchCounters)
  const pressure = createPressure(limitBytes)
  const base = createProcessBase()
  const collect = createCollector()
  let timer: NodeJS.Timeout | undefined
  let wantedMs = Infinity
  let shrinkAtMs = 0
  let shrinkEveryMs = SHRINK_EVERY_MS

  function report(): void {
    cells.report(MAIN_THREAD, { ...heldByThread(stages()), ...base.held() })
    for (const [i, held] of options.heldByOthers().entries()) cells.report(MAIN_THREAD + 1 + i, held)
  }

  function look(): void {
    const nowMs = performance.now()
    const lateMs = Math.max(0, nowMs - wantedMs)
    wantedMs = nowMs + LOOK_EVERY_MS
    report()
    const before = pressure.causes()
    const { reserve: spareBytes = 0 } = cells.held()
    const residentBytes = residentMemory().bytes
    const sight = { heldBytes: cells.total(), spareBytes, residentBytes, lateMs }
    if (pressure.look(sight)) tellChange(before, sight)
    const isTight = pressure.causes().some((cause) => cause !== 'event_loop')
    if (isTight || residentBytes >= SHRINK_SHARE * limitBytes) shrink(nowMs)
    else shrinkEveryMs = SHRINK_EVERY_MS
    if (pressure.bytesToFree() > 0) options.relieve(pressure.bytesToFree())
  }

  function tellChange(before: readonly PressureCause[], { heldBytes, residentBytes, lateMs }: Sight): void {
    const causes = pressure.causes()
    for (const cause of causes.filter((one) => !before.includes(one))) {
      counters.add('tail_pressure_total', 1, pressureCauses.indexOf(cause))
    }
    const fields = { causes, heldBytes, residentBytes, limitBytes, lateMs: Math.round(lateMs) }
    if (causes.length > 0) log.warn(fields, 'under pressure: requests are refused until it is over')
    else log.info(fields, 'the pressure is over: requests are taken again')
  }

  function shrink(nowMs: number): void {
    if (nowMs < shrinkAtMs) return
    shrinkAtMs = nowMs + shrinkEveryMs
    shrinkEveryMs = Math.min(2 * shrinkEveryMs, SHRINK_EVERY_MS_MAX)
    options.trim()
    collect()
  }

  return {
    start() {
      report()
      base.settle(cells.total())
      report()
      wantedMs = performance.now() + LOOK_EVERY_MS
      timer = setInterval(look, LOOK_EVERY_MS)
    },
    stop() {
      clearInterval(timer)
    },
    held() {
      report()
      return { ...cells.held(), unused: Math.max(0, residentMemory().bytes - cells.total()) }
    },
    admission() {
      const [cause] = pressure.causes()
      return cause === undefined ? undefined : { cause, retryAfterMs: RETRY_AFTER_MS }
    },
    causes: pressure.causes,
    counters,
    cells
  }
}

/** V8's own collector, which it hands to nobody that did not ask for it at the start. */
function createCollector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options: object) => Promise<void>
  return () => {
    void collect({ type: 'major', execution: 'async', flavor: 'last-resort' })
  }
}
