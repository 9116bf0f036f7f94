import { type LoggedRequest, type SettledTable } from '../model/logged.ts'
import {
  type Folder,
  type KnownSegment,
  type LogStart,
  type ReadRecord,
  readAgain,
  recover,
  type Recovery
} from '../runtime/segments/index.ts'
import {
  COUNTED_HEAD_BYTES,
  entriesOf,
  ENTRY_BYTES,
  LANES,
  readCheckpoint,
  readCountedHead,
  readEntry,
  RecordType,
  requestKind
} from './records.ts'
import { createSettledTraces, type SettledTraces } from './settled-traces.ts'

/** Traces remembered while the log is read: 40 bytes each, and as much again while the table grows. */
const SETTLED_TRACES_MAX = 1 << 22
/** A process that died so often while it read the log starts without. */
const ATTEMPTS_MAX = 3
/** Requests are taken for so long before others get their turn. */
const SLICE_MS = 20
/** The log's time goes on in steps as long as the ticks were by which traces closed at first; and no step has more bytes than shards may have before them. */
const STEP_MS = 50
const STEP_BYTES = 8 * 1024 ** 2

/** What an earlier process left. */
export interface Survey extends Recovery {
  readonly settled: SettledTraces
  /** No request before this sequence is needed. */
  readonly oldest: number
  readonly passedBefore: number
  /** Traces of each lane that were counted so far, by all processes. */
  readonly counted: readonly number[]
  readonly forgotten: number
  /** Processes in a row that died while they read it. */
  readonly attempts: number
}

interface PendingRecord {
  readonly lane: number
  readonly before: number
  readonly payload: Buffer
  at: number
}

/** What became of requests, as later records tell. */
interface Fates {
  readonly settled: SettledTraces
  readonly read: (record: ReadRecord) => void
  /** Takes all that the last process counted for settled. */
  readonly settleCounted: () => void
  readonly said: () => Pick<Survey, 'oldest' | 'passedBefore' | 'counted' | 'forgotten' | 'attempts'>
}

function createFates(): Fates {
  const settled = createSettledTraces(SETTLED_TRACES_MAX)
  /** Counted, but in no scrape that was served: records of entries, as long as they are not settled. */
  let pending: PendingRecord[] = []
  const traceId = new Uint32Array(4)
  let oldest = 0
  let passedBefore = 0
  const counted = new Array<number>(LANES).fill(0)
  let forgotten = 0
  let attempts = 0

  function settle(through: readonly number[]): void {
    for (const record of pending) {
      const entries = Math.min(entriesOf(record.payload), (through[record.lane] as number) - record.before)
      for (; record.at < entries; record.at++) {
        const entry = readEntry(record.payload, COUNTED_HEAD_BYTES + record.at * ENTRY_BYTES, traceId)
        if (!settled.add(entry.traceId, entry.last, entry.parts)) forgotten += 1
      }
    }
    pending = pending.filter(({ payload, at }) => at < entriesOf(payload))
  }

  function atLeast(lane: number, count: number): void {
    counted[lane] = Math.max(counted[lane] as number, count)
  }

  function read({ type, sequence, payload }: ReadRecord): void {
    if (type === RecordType.counted && payload.length >= COUNTED_HEAD_BYTES) {
      const { lane, before } = readCountedHead(payload)
      pending.push({ lane, before, payload: Buffer.from(payload), at: 0 })
      atLeast(lane, before + entriesOf(payload))
    } else if (type === RecordType.checkpoint) {
      const checkpoint = readCheckpoint(payload)
      settle(checkpoint.settled)
      oldest = Math.max(oldest, checkpoint.oldest)
      passedBefore = Math.max(passedBefore, Math.min(checkpoint.passedBefore, sequence))
      checkpoint.settled.forEach((settledOfLane, lane) => {
        atLeast(lane, settledOfLane)
      })
    } else if (type === RecordType.started) {
      // The next process counts them anew, and says so again.
      pending = []
      attempts += 1
    } else if (type === RecordType.recovered) attempts = 0
  }

  return {
    settled,
    read,
    settleCounted() {
      settle(counted)
    },
    said: () => ({ oldest, passedBefore, counted, forgotten, attempts })
  }
}

/** Reads the whole log for what became of its requests. */
export async function survey(folder: Folder): Promise<Survey> {
  const { settled, read, said } = createFates()
  const recovery = await recover(folder, read)
  const { attempts } = said()
  // Whoever wants to know why gets the files: they are put aside and not removed.
  if (attempts >= ATTEMPTS_MAX) for (const segment of recovery.start.segments) segment.damaged = true
  return { ...recovery, settled, ...said() }
}

/** What is read again of a log. */
export type Unread = Pick<Survey, 'settled' | 'oldest' | 'passedBefore' | 'attempts'> & {
  readonly start: Pick<LogStart, 'segments'>
}

/** Reads what this process took from one request on, up to another, for what of it was counted; that is as good as settled. */
export async function surveyTaken(
  folder: Folder,
  segments: readonly KnownSegment[],
  { from, to }: { readonly from: number; readonly to: number }
): Promise<Unread & { readonly isWhole: boolean }> {
  const { settled, read, settleCounted, said } = createFates()
  const needed = segments.filter(({ last }) => last >= from)
  let expected = from
  let gaps = 0
  await readAgain(folder, needed, (record) => {
    read(record)
    if (record.sequence < from || record.sequence >= to) return
    // Nobody knows with which request a process begins.
    if (record.sequence !== expected && expected > 0) gaps += 1
    expected = record.sequence + 1
  })
  settleCounted()
  return {
    settled,
    oldest: Math.max(from, said().oldest),
    passedBefore: 0,
    attempts: 0,
    start: { segments: needed },
    isWhole: gaps === 0 && expected >= to
  }
}

export interface ReplayTarget {
  readonly begin: (settled: SettledTable) => void
  /** Throws what cannot be decoded. */
  readonly take: (request: LoggedRequest) => void
  /** The trace with this id was settled: what still comes of it is late. */
  readonly recall: (traceId: Uint32Array) => void
  /** It is this late from now on. */
  readonly goOn: (atMs: number) => Promise<void> | void
  /** A slice of what is left to do; true when that was all. */
  readonly end: (nowMs: number) => Promise<boolean> | boolean
}

export interface ReplayTools {
  readonly folder: Folder
  readonly nowMs: () => number
  readonly ageMaxMs: number
  readonly taken: (bytes: number) => void
  readonly skipped: (reason: 'settled' | 'stale' | 'undecodable' | 'crashLoop') => void
}

/** Gives the requests that are not settled to the pipeline, a slice at a time. */
export async function replay(found: Unread, target: ReplayTarget, tools: ReplayTools): Promise<void> {
  const oldestMs = tools.nowMs() - tools.ageMaxMs
  const isCrashLoop = found.attempts >= ATTEMPTS_MAX
  const traceId = new Uint32Array(4)
  let sliceEndMs = performance.now() + SLICE_MS
  let steppedMs = -Infinity
  let steppedBytes = 0

  function recall(payload: Buffer): void {
    for (let entry = 0; entry < entriesOf(payload); entry++) {
      const { last } = readEntry(payload, COUNTED_HEAD_BYTES + entry * ENTRY_BYTES, traceId)
      if (found.settled.through(traceId, 0) >= last) target.recall(traceId)
    }
  }

  /** Time stands still between steps, as it does between ticks. */
  async function step({ timeMs, payload }: ReadRecord): Promise<void> {
    const leapt = timeMs < steppedMs || timeMs >= steppedMs + STEP_MS
    if (!leapt && steppedBytes + payload.length <= STEP_BYTES) {
      steppedBytes += payload.length
      return
    }
    if (leapt) steppedMs = timeMs
    steppedBytes = payload.length
    await target.goOn(steppedMs)
  }

  function take({ type, sequence, timeMs, payload }: ReadRecord): void {
    const kind = requestKind(type)
    if (kind === undefined) return
    if (sequence < found.oldest) tools.skipped('settled')
    else if (isCrashLoop) tools.skipped('crashLoop')
    else if (timeMs < oldestMs) tools.skipped('stale')
    else {
      try {
        target.take({ ...kind, body: payload, sequence, passedOn: sequence < found.passedBefore })
        tools.taken(payload.length)
      } catch {
        tools.skipped('undecodable')
      }
    }
  }

  target.begin(found.settled)
  await readAgain(tools.folder, found.start.segments, async (record) => {
    if (!isCrashLoop && record.timeMs >= oldestMs) {
      await step(record)
      if (record.type === RecordType.counted) recall(record.payload)
    }
    take(record)
    if (performance.now() < sliceEndMs) return
    await breath()
    sliceEndMs = performance.now() + SLICE_MS
  })
  while (!(await target.end(tools.nowMs()))) await breath()
}

/** Lets everything else that waits have its turn. */
function breath(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
