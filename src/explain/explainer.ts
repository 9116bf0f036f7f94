import { type Budget } from '../model/budgets.ts'
import { type Decomposition, type RequestColumns } from '../model/decomposition.ts'
import { Band, type CountedRequests, Outcome } from '../model/requests.ts'
import { CloseReason, type Resources, type TraceColumns } from '../model/spans.ts'
import { type TailTables } from '../model/tail.ts'
import { type Counters, createCounters } from '../runtime/counters.ts'
import { createSharedMemory, type SharedMemory } from '../runtime/shared-memory.ts'
import { type Stage } from '../runtime/stage.ts'
import { type Strings } from '../runtime/strings.ts'
import { createAdviceSums } from './advice-table.ts'
import { createBlameSlots } from './blame-slots.ts'
import { createBoundaries } from './boundaries.ts'
import { BlameBand, type BlameSums } from './blame-table.ts'
import { createCounted } from './counted.ts'
import { explainCounters, HistoryLoss, LateResult, RetainResult } from './counters.ts'
import { createExamples, type FoundRequests } from './examples.ts'
import { createExemplars } from './exemplars.ts'
import { createHistory, type History } from './history/history.ts'
import { type Learned, readLearned } from './learned.ts'
import { mergeTables } from './merge.ts'
import { createOperations } from './operations.ts'
import { createPublishedBands, type JudgedRequests } from './published-bands.ts'
import { createRetainedTraces } from './retained-traces.ts'
import { type ExplainSettings } from './settings.ts'

/** What expose shows, and the denominators of mean blame. */
export interface ExplainTables extends TailTables {
  readonly blame: BlameSums
}

export interface Explainer extends Stage {
  /**
   * Counts a trace's requests, as `judged` by whoever decomposed it or else by the thresholds of now. Returns what was found of
   * them; reused by the next call.
   */
  readonly consume: (decomposition: Decomposition, nowMs: number, judged?: JudgedRequests) => CountedRequests
  /** The same for a giant: yields after each `slice` requests, and other traces may be counted meanwhile. One at a time. */
  readonly consumeSliced: (
    decomposition: Decomposition,
    nowMs: number,
    how: { readonly slice: number; readonly judged?: JudgedRequests }
  ) => Generator<undefined, CountedRequests>
  /** The bands of a trace's requests by what was published at the last tick; as `createPublishedBands` says in other threads. */
  readonly judge: (requests: RequestColumns) => JudgedRequests
  /** When the newest row was made that requests of this trace, the last one counted, went to. */
  readonly newestRowMs: (decomposition: Decomposition) => number
  /** The bands that the requests of a trace seen before have by the present thresholds; counts nothing. */
  readonly bandsOf: (decomposition: Decomposition) => Uint8Array
  /** Late spans: they join their trace where it is kept and has room. */
  readonly late: (trace: TraceColumns) => void
  readonly tables: ExplainTables
  readonly history: History
  readonly counters: Counters<typeof explainCounters>
  /** Thresholds and streams by name, for `load` here or elsewhere. */
  readonly learned: () => Learned
  /** From now on thresholds and streams are these; nothing more is learned. Throws BAD_FILE. */
  readonly load: (learned: unknown) => void
  /** What `judge` says from now on; a part of every tick. */
  readonly publishBands: (nowMs: number) => void
  /** Other budgets from now on. Counters stay where operation, target and threshold do. */
  readonly setBudgets: (budgets: readonly Budget[]) => void
  /** Begins where an earlier process ended: thresholds hold until own requests say otherwise. Throws BAD_FILE. */
  readonly begin: (learned: unknown, nowMs: number) => void
  /** Gives up kept traces until so many bytes are free. */
  readonly relieve: (bytesToFree: number) => void
  /** Adds up what another explainer counted. */
  readonly merge: (from: ExplainTables, strings: Strings, nowMs: number) => void
}

export interface ExplainTools {
  readonly strings: Strings
  readonly resources: Resources
  /** Where bands are published; own memory without. */
  readonly memory?: SharedMemory
}

export function createExplainer(settings: ExplainSettings, tools: ExplainTools): Explainer {
  const { strings, resources } = tools
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
  const boundaries = createBoundaries({
    ...settings,
    resources,
    onOverflow() {
      counters.add('tail_boundary_overflow_total')
    }
  })
  const advice = createAdviceSums(settings.windowMs)
  const bands = createPublishedBands(settings, tools.memory ?? createSharedMemory())
  const operations = createOperations(settings, {
    strings,
    counters,
    bands,
    wanted: examples.wanted,
    onRows(rows) {
      examples.ensureRows(rows)
      advice.ensureRows(rows)
    },
    onFree(row) {
      history.beforeFree(row)
      examples.clearRow(row)
      advice.clearRow(row)
      blame.dropRoot(row)
    }
  })
  const history = createHistory(settings, {
    table: operations.table,
    strings,
    resources,
    onLost(part, count) {
      counters.add('tail_history_losses_total', count, HistoryLoss[part])
    },
    onSketchOverflow() {
      counters.add('tail_sketch_overflow_total')
    }
  })

  const counted = createCounted()
  const countedSliced = createCounted()
  let lastCounted = counted

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
    const { requests, rootRequest, trace } = decomposition
    operations.count(requests, { counted: found.counted, from, to, bands: found.judged?.bands }, nowMs)
    for (let i = from; i < to; i++) history.see(trace.resource[requests.span[i] as number] as number)
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

  function consume(decomposition: Decomposition, nowMs: number, judged?: JudgedRequests): CountedRequests {
    joinKept(decomposition)
    counted.kept = false
    lastCounted = counted
    const found = { decomposition, counted, from: 0, to: decomposition.requests.n, judged }
    countRequests(found, nowMs)
    // Not of giants: one of them must not outvote everyone else, nor block.
    advice.count(operations, found, nowMs)
    boundaries.count(decomposition, { counted, from: 0, to: decomposition.crossings.n }, nowMs)
    return counted
  }

  function* consumeSliced(
    decomposition: Decomposition,
    nowMs: number,
    { slice, judged }: { readonly slice: number; readonly judged?: JudgedRequests }
  ): Generator<undefined, CountedRequests> {
    joinKept(decomposition)
    countedSliced.kept = false
    const { n } = decomposition.requests
    for (let from = 0; from < n; from += slice) {
      const to = Math.min(n, from + slice)
      countRequests({ decomposition, counted: countedSliced, from, to, judged }, nowMs)
      yield
    }
    const crossings = decomposition.crossings.n
    for (let from = 0; from < crossings; from += slice) {
      boundaries.count(decomposition, { counted: countedSliced, from, to: Math.min(crossings, from + slice) }, nowMs)
      yield
    }
    lastCounted = countedSliced
    return countedSliced
  }

  const tables: ExplainTables = {
    operations: operations.table,
    exemplars: exemplars.table,
    blame: blame.table,
    budgets: operations.budgets.table,
    advice: advice.table,
    boundaries: boundaries.table,
    samplings: operations.samplings,
    retained: retained.get,
    retainedOf(service, operation) {
      const row = operations.find(service, operation)
      return row < 0 ? [] : retained.of(row)
    }
  }

  return {
    tables,
    history,
    counters,
    consume,
    consumeSliced,
    newestRowMs({ requests }) {
      let newest = -Infinity
      for (let i = 0; i < requests.n; i++) {
        newest = Math.max(newest, operations.table.createdMs[lastCounted.row[i] as number] as number)
      }
      return newest
    },
    bandsOf: ({ requests }) => operations.bandsOf(requests),
    late(trace) {
      counters.add('tail_spans_late_total', trace.n, retained.late(trace) ? LateResult.joined : LateResult.ignored)
    },
    judge: bands.judge,
    learned: operations.learned,
    load(learned) {
      operations.load(readLearned(learned))
    },
    publishBands: operations.publish,
    setBudgets: operations.setBudgets,
    begin(learned, nowMs) {
      operations.begin(readLearned(learned), nowMs)
    },
    merge(from, fromStrings, nowMs) {
      mergeTables({ operations, blame, advice, boundaries, strings }, { tables: from, strings: fromStrings }, nowMs)
    },
    relieve: retained.relieve,
    tick(nowMs) {
      operations.tick(nowMs)
      blame.tick(nowMs)
      history.tick(nowMs)
      boundaries.tick(nowMs)
    },
    shutdown(nowMs) {
      blame.settleAll(nowMs)
      history.finish(nowMs)
    },
    mark(marks) {
      operations.mark(marks)
      history.mark(marks)
      blame.mark(marks)
      advice.mark(marks.strings)
      boundaries.mark(marks.strings)
      retained.mark(marks)
    },
    memory() {
      const { rows, sketches, budgets } = operations.bytes()
      return {
        explain_rows: rows + exemplars.bytes() + advice.bytes() + bands.bytes(),
        explain_boundaries: boundaries.bytes(),
        explain_sketches: sketches,
        explain_budgets: budgets,
        explain_blame: blame.bytes(),
        explain_retained: retained.bytes(),
        explain_history: history.bytes()
      }
    }
  }
}
