import { type Decomposition } from '../model/decomposition.ts'
import { Band, Outcome } from '../model/requests.ts'
import { CloseReason, type Resources, type TraceColumns } from '../model/spans.ts'
import { type TailTables } from '../model/tail.ts'
import { type Counters, createCounters } from '../runtime/counters.ts'
import { type Stage } from '../runtime/stage.ts'
import { type Strings } from '../runtime/strings.ts'
import { createBlameSlots } from './blame-slots.ts'
import { BlameBand, type BlameSums } from './blame-table.ts'
import { explainCounters, RetainResult } from './counters.ts'
import { createExamples, type FoundRequests } from './examples.ts'
import { createExemplars } from './exemplars.ts'
import { type Learned, readLearned } from './learned.ts'
import { mergeTables } from './merge.ts'
import { createCounted, createOperations } from './operations.ts'
import { createRetainedTraces } from './retained-traces.ts'
import { type ExplainSettings } from './settings.ts'

/** What expose shows, and the denominators of mean blame. */
export interface ExplainTables extends TailTables {
  readonly blame: BlameSums
}

export interface Explainer extends Stage {
  /** Counts a trace's requests. Returns their bands by request row; reused by the next call. */
  readonly consume: (decomposition: Decomposition, nowMs: number) => Uint8Array
  /** The same for a giant: yields after each `slice` requests, and other traces may be counted meanwhile. One at a time. */
  readonly consumeSliced: (
    decomposition: Decomposition,
    nowMs: number,
    slice: number
  ) => Generator<undefined, Uint8Array>
  /** The bands that the requests of a trace seen before have by the present thresholds; counts nothing. */
  readonly bandsOf: (decomposition: Decomposition) => Uint8Array
  /** Joins late spans to their trace where it is kept and has room; false where not. */
  readonly late: (trace: TraceColumns) => boolean
  readonly tables: ExplainTables
  readonly counters: Counters<typeof explainCounters>
  /** Thresholds and streams by name, for `load` here or elsewhere. */
  readonly learned: () => Learned
  /** From now on thresholds and streams are these; nothing more is learned. Throws BAD_FILE. */
  readonly load: (learned: unknown) => void
  /** Adds up what another explainer counted. */
  readonly merge: (from: ExplainTables, strings: Strings, nowMs: number) => void
}

export interface ExplainTools {
  readonly strings: Strings
  readonly resources: Resources
}

export function createExplainer(settings: ExplainSettings, { strings }: ExplainTools): Explainer {
  const counters = createCounters(explainCounters)
  const onTrace = (result: number) => (): void => {
    counters.add('tail_retained_traces_total', 1, result)
  }
  const blame = createBlameSlots(settings)
  const retained = createRetainedTraces({
    ...settings,
    onEvicted(kept) {
      counters.add('tail_retained_traces_total', 1, RetainResult.evicted)
      exemplars.forget(kept)
    }
  })
  const exemplars = createExemplars(() => operations.table, settings.windowMs)
  const examples = createExamples({
    retained,
    exemplars,
    usualEveryMs: settings.windowMs / 2,
    onKept: onTrace(RetainResult.kept),
    onTooLarge: onTrace(RetainResult.tooLarge)
  })
  const operations = createOperations(settings, {
    strings,
    counters,
    onRows: examples.ensureRows,
    onFree(row) {
      examples.clearRow(row)
      blame.dropRoot(row)
    }
  })

  const counted = createCounted()
  const countedSliced = createCounted()

  /** Only the root's body and tail are blamed; what lies between says nothing about the difference. */
  function chargeRoot(decomposition: Decomposition, { row, band, weight }: typeof counted, nowMs: number): void {
    const { requests, rootRequest } = decomposition
    const inTail = band[rootRequest] === Band.gtP99
    const inBody = band[rootRequest] === Band.leP50 && requests.outcome[rootRequest] === Outcome.ok
    if (!inTail && !inBody) return
    const rootRow = row[rootRequest] as number
    const blameBand = inTail ? BlameBand.tail : BlameBand.body
    const whole = blame.charge(rootRow, blameBand, decomposition.blame, weight[rootRequest] as number, nowMs)
    if (!whole) counters.add('tail_blame_overflow_total')
  }

  function countRequests(found: FoundRequests, nowMs: number): void {
    const { decomposition, from, to } = found
    const { requests, rootRequest } = decomposition
    operations.count(requests, found, nowMs)
    const rootIsHere = from <= rootRequest && rootRequest < to
    if (rootIsHere && operations.hasRow(requests, found.counted, rootRequest)) {
      chargeRoot(decomposition, found.counted, nowMs)
    }
    examples.consider(operations, found, nowMs)
  }

  /** A unit that came after its trace: what is kept of the trace must show it too. */
  function joinKept({ trace }: Decomposition): void {
    if (trace.closedBy === CloseReason.lateUnit) retained.late(trace)
  }

  function consume(decomposition: Decomposition, nowMs: number): Uint8Array {
    joinKept(decomposition)
    countRequests({ decomposition, counted, from: 0, to: decomposition.requests.n }, nowMs)
    return counted.band
  }

  function* consumeSliced(
    decomposition: Decomposition,
    nowMs: number,
    slice: number
  ): Generator<undefined, Uint8Array> {
    joinKept(decomposition)
    const { n } = decomposition.requests
    for (let from = 0; from < n; from += slice) {
      countRequests({ decomposition, counted: countedSliced, from, to: Math.min(n, from + slice) }, nowMs)
      yield
    }
    return countedSliced.band
  }

  const tables: ExplainTables = {
    operations: operations.table,
    exemplars: exemplars.table,
    blame: blame.table,
    samplings: operations.samplings,
    retained: retained.get,
    retainedOf(service, operation) {
      const row = operations.find(service, operation)
      return row < 0 ? [] : retained.of(row)
    }
  }

  return {
    tables,
    counters,
    consume,
    consumeSliced,
    bandsOf: ({ requests }) => operations.bandsOf(requests),
    late: retained.late,
    learned: operations.learned,
    load(learned) {
      operations.load(readLearned(learned))
    },
    merge(from, fromStrings, nowMs) {
      mergeTables({ operations, blame, strings }, { tables: from, strings: fromStrings }, nowMs)
    },
    tick(nowMs) {
      operations.tick(nowMs)
      blame.tick(nowMs)
    },
    shutdown: blame.settleAll,
    mark(marks) {
      operations.mark(marks)
      blame.mark(marks)
      retained.mark(marks)
    },
    memory() {
      const { rows, sketches } = operations.bytes()
      return {
        explain_rows: rows + exemplars.bytes(),
        explain_sketches: sketches,
        explain_blame: blame.bytes(),
        explain_retained: retained.bytes()
      }
    }
  }
}
