import { Kind, type Resources, SpanFlag, type TraceColumns } from '../model/spans.ts'
import {
  type ClosedDraft,
  closedFlags,
  ClosedFlag,
  type ClosedRecord,
  createClosedDraft,
  fingerprintCount,
  FINGERPRINTS_MAX,
  fingerprintsAt,
  orphanAt,
  ORPHAN_WORDS,
  OrphanWord,
  PRODUCER_WORDS,
  producerAt,
  producerCount,
  PRODUCERS_MAX,
  ProducerWord
} from './closed-traces.ts'
import { type Gather } from './gather.ts'
import { type LearnedRoots } from './learned-roots.ts'
import { laterHigh, laterLow, roomFor } from './trace-columns.ts'

/** Of a giant, its first spans stand for the rest: looking up every parent would block for too long. */
const VISITED_SPANS_MAX = 65_536

/** How a trace closed, as far as its summary says so. */
export interface Closing {
  /** It had all the time it needed, so its missing parents are missing. */
  readonly settled: boolean
  readonly rootedByHabit: boolean
  readonly flags: number
}

/** Writes down what is to be remembered of a trace that closes, and learns from it which operations are roots. */
export interface Summarizer {
  readonly draft: ClosedDraft
  readonly ofTrace: (closing: Closing) => void
  /** `known` marks rows that came before the trace had closed. */
  readonly ofContinuation: (record: ClosedRecord | undefined, known: Uint8Array) => void
}

export function createSummarizer(gather: Gather, learned: LearnedRoots, resources: Resources): Summarizer {
  const { columns } = gather
  const draft = createClosedDraft()
  /** Producers that a consumer of the same trace names as its parent. */
  let answered = new Uint8Array(64)
  let merged = new Int32Array(64)
  let traceNumber = 0
  let visited = 0

  /** Looks up the parents of the spans that came from elsewhere. */
  function visitEntries(closing: Closing | undefined): void {
    visited = Math.min(columns.n, VISITED_SPANS_MAX)
    if (answered.length < visited) answered = new Uint8Array(roomFor(visited))
    answered.fill(0, 0, visited)
    const { kind, flags, parentId } = columns
    for (let row = 0; row < visited; row++) {
      if (!cameFromElsewhere(kind[row] as number, flags[row] as number)) continue
      const high = parentId[2 * row] as number
      const low = parentId[2 * row + 1] as number
      if (high === 0 && low === 0) continue
      const parent = gather.find(high, low)
      if (parent >= 0) answered[parent] = 1
      if (closing?.settled === true) learn(row, parent < 0, closing)
    }
  }

  function learn(row: number, orphaned: boolean, closing: Closing): void {
    const service = resources.service[columns.resource[row] as number] as number
    const operation = columns.operation[row] as number
    if (orphaned && closing.rootedByHabit && learned.isRoot(service, operation)) noteOrphan(row, service, operation)
    learned.observe(service, operation, orphaned, traceNumber)
  }

  /** Should the parent come after all, the habit was wrong. One such span a trace is enough to notice. */
  function noteOrphan(row: number, service: number, operation: number): void {
    draft.flags |= ClosedFlag.orphan
    draft.orphan[OrphanWord.parentId] = columns.parentId[2 * row] as number
    draft.orphan[OrphanWord.parentId + 1] = columns.parentId[2 * row + 1] as number
    draft.orphan[OrphanWord.service] = service
    draft.orphan[OrphanWord.operation] = operation
  }

  function addProducers(isAnswered: number, known: Uint8Array | undefined): void {
    for (let row = 0; row < visited && draft.producerCount < PRODUCERS_MAX; row++) {
      if (columns.kind[row] !== Kind.producer || answered[row] !== isAnswered || known?.[row] === 1) continue
      writeProducer(draft.producers, draft.producerCount * PRODUCER_WORDS, columns, row)
      draft.producerCount += 1
    }
  }

  function addProducersOf(record: ClosedRecord): void {
    const count = producerCount(record)
    for (let i = 0; i < count && draft.producerCount < PRODUCERS_MAX; i++) {
      const from = producerAt(record, i)
      const to = draft.producerCount * PRODUCER_WORDS
      for (let word = 0; word < PRODUCER_WORDS; word++) draft.producers[to + word] = record.words[from + word] as number
      draft.producerCount += 1
    }
  }

  function keepOrRetractOrphan(record: ClosedRecord): void {
    const { words } = record
    const at = orphanAt(record)
    if (gather.find(words[at + OrphanWord.parentId] as number, words[at + OrphanWord.parentId + 1] as number) >= 0) {
      learned.retract(words[at + OrphanWord.service] as number, words[at + OrphanWord.operation] as number)
      return
    }
    draft.flags |= ClosedFlag.orphan
    for (let word = 0; word < ORPHAN_WORDS; word++) draft.orphan[word] = words[at + word] as number
  }

  function mergeFingerprints(record: ClosedRecord | undefined, known: Uint8Array): void {
    const before = record === undefined ? 0 : fingerprintCount(record)
    const most = Math.min(before + columns.n, FINGERPRINTS_MAX)
    if (merged.length < most) merged = new Int32Array(roomFor(most))
    const from = record === undefined ? 0 : fingerprintsAt(record)
    for (let i = 0; i < before; i++) merged[i] = record?.words[from + i] as number
    let count = before
    for (let row = 0; row < columns.n && count < FINGERPRINTS_MAX; row++) {
      if (known[row] === 0) merged[count++] = gather.fingerprints[row] as number
    }
    draft.fingerprints = merged
    draft.fingerprintCount = count
  }

  return {
    draft,
    ofTrace(closing) {
      traceNumber = (traceNumber + 1) >>> 0
      draft.isFirst = true
      draft.flags = closing.flags
      draft.producerCount = 0
      draft.fingerprints = gather.fingerprints
      draft.fingerprintCount = Math.min(columns.n, FINGERPRINTS_MAX)
      visitEntries(closing)
      addProducers(0, undefined)
      addProducers(1, undefined)
    },
    ofContinuation(record, known) {
      const flags = record === undefined ? 0 : closedFlags(record)
      draft.isFirst = false
      draft.flags = flags & ~ClosedFlag.orphan
      draft.producerCount = 0
      visitEntries(undefined)
      addProducers(0, known)
      if (record !== undefined) addProducersOf(record)
      addProducers(1, known)
      mergeFingerprints(record, known)
      if (record !== undefined && (flags & ClosedFlag.orphan) !== 0) keepOrRetractOrphan(record)
    }
  }
}

/** Whether a span's parent may belong to another process: such spans can be roots by habit. */
export function cameFromElsewhere(kind: number, flags: number): boolean {
  return kind === Kind.server || kind === Kind.consumer || (flags & SpanFlag.parentRemote) !== 0
}

function writeProducer(to: Uint32Array, at: number, columns: TraceColumns, row: number): void {
  const { baseHi, baseLo } = columns
  to[at + ProducerWord.spanId] = columns.spanId[2 * row] as number
  to[at + ProducerWord.spanId + 1] = columns.spanId[2 * row + 1] as number
  to[at + ProducerWord.parentId] = columns.parentId[2 * row] as number
  to[at + ProducerWord.parentId + 1] = columns.parentId[2 * row + 1] as number
  to[at + ProducerWord.start] = laterHigh(baseHi, baseLo, columns.startNs[row] as number)
  to[at + ProducerWord.start + 1] = laterLow(baseLo, columns.startNs[row] as number)
  to[at + ProducerWord.end] = laterHigh(baseHi, baseLo, columns.endNs[row] as number)
  to[at + ProducerWord.end + 1] = laterLow(baseLo, columns.endNs[row] as number)
  to[at + ProducerWord.name] = columns.name[row] as number
  to[at + ProducerWord.operation] = columns.operation[row] as number
  to[at + ProducerWord.scope] = columns.scope[row] as number
  to[at + ProducerWord.resource] = columns.resource[row] as number
}
