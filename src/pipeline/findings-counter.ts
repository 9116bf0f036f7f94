import { type JudgedRequests } from '../explain/index.ts'
import { type Decomposition } from '../model/decomposition.ts'
import { type CountedRequests } from '../model/requests.ts'
import { type TraceColumns } from '../model/spans.ts'
import { viewTrace } from '../model/trace-copy.ts'
import { freeMemory } from '../runtime/free-memory.ts'
import { createFindingsReader } from './findings-reader.ts'
import { FindingCell, FindingKind, type Findings } from './findings.ts'
import { type Counted, Part } from './shard.ts'

/** Time that giants may take of a phase. */
const GIANTS_MS = 20

export interface FindingsNext {
  readonly found: (result: Decomposition, judged: JudgedRequests) => CountedRequests | undefined
  readonly foundGiant: (result: Decomposition, judged: JudgedRequests) => Generator<undefined, CountedRequests>
  readonly late: (trace: TraceColumns) => void
  readonly uncounted: (trace: Counted) => void
}

/** Counts what several shards found in one phase in the order in which one shard would have found it. */
export interface FindingsCounter {
  readonly count: (found: readonly Findings[]) => void
  /** Whether no giant waits. */
  readonly isDone: () => boolean
  /** Sequence of the first request with a span of those that wait; Infinity when there is none, or no log. */
  readonly oldest: () => number
  /** Counts all giants that wait. */
  readonly finish: () => void
}

interface Cursor {
  readonly findings: Findings
  at: number
}

export function createFindingsCounter(next: FindingsNext, nowMs: () => number, logged: boolean): FindingsCounter {
  const reader = createFindingsReader(logged)
  const giantReader = createFindingsReader(logged)
  /** The first is being counted. */
  const giants: Cursor[] = []
  let counting: Generator<undefined, CountedRequests> | undefined

  function countOne({ findings, at }: Cursor): void {
    const { cells, copies } = findings
    if (cells[at + FindingCell.kind] === FindingKind.late) {
      const copy = copies[cells[at + FindingCell.copy] as number]
      if (copy !== undefined) next.late(viewTrace(copy))
    } else if (cells[at + FindingCell.kind] === FindingKind.uncounted) {
      next.uncounted(reader.readUncounted(findings, at))
    } else if (cells[at + FindingCell.part] === Part.giant) {
      giants.push({ findings, at })
    } else {
      const { result, judged } = reader.read(findings, at)
      next.found(result, judged)
    }
  }

  function advanceGiants(untilMs: number): void {
    while (giants.length > 0) {
      if (counting === undefined) {
        const { findings, at } = giants[0] as Cursor
        const { result, judged } = giantReader.read(findings, at)
        counting = next.foundGiant(result, judged)
      }
      if (counting.next().done === true) {
        counting = undefined
        giants.shift()
      }
      if (nowMs() >= untilMs) return
    }
  }

  return {
    count(found) {
      const cursors = found.filter(({ length }) => length > 0).map((findings): Cursor => ({ findings, at: 0 }))
      const withGiants = giants.length
      for (let first = firstOf(cursors); first !== undefined; first = firstOf(cursors)) {
        countOne(first)
        first.at += first.findings.cells[first.at + FindingCell.length] as number
        if (first.at === first.findings.length) cursors.splice(cursors.indexOf(first), 1)
      }
      if (giants.length === withGiants) {
        for (const { cells } of found) if (cells.length > 0) freeMemory(cells.buffer)
      }
      advanceGiants(nowMs() + GIANTS_MS)
    },
    isDone: () => giants.length === 0,
    oldest: () => Math.min(...giants.map(({ findings, at }) => giantReader.custodyOf(findings, at).first)),
    finish() {
      advanceGiants(Infinity)
    }
  }
}

/** Each shard's own are in order already. */
function firstOf(cursors: readonly Cursor[]): Cursor | undefined {
  let first: Cursor | undefined
  for (const cursor of cursors) if (first === undefined || comesBefore(cursor, first)) first = cursor
  return first
}

function comesBefore(a: Cursor, b: Cursor): boolean {
  for (const cell of [FindingCell.part, FindingCell.round, FindingCell.rank]) {
    const difference = (a.findings.cells[a.at + cell] as number) - (b.findings.cells[b.at + cell] as number)
    if (difference !== 0) return difference < 0
  }
  const order = FindingCell.order
  // Numbers wrap.
  return (((a.findings.cells[a.at + order] as number) - (b.findings.cells[b.at + order] as number)) | 0) < 0
}
