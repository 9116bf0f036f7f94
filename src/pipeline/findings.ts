import { ADVICES } from '../model/advice.ts'
import { BOUNDARY_COMPONENTS } from '../model/boundaries.ts'
import { type BlameColumns, type Decomposition, type RequestColumns } from '../model/decomposition.ts'
import { PATTERNS } from '../model/patterns.ts'
import { PHASE_SLOTS } from '../model/phases.ts'
import { Band, Outcome } from '../model/requests.ts'
import { CloseReason, type Custody, type TraceColumns } from '../model/spans.ts'
import { copyTrace, type TraceCopy } from '../model/trace-copy.ts'
import { type JudgedRequests } from '../explain/index.ts'
import { type Counted, type Place } from './shard.ts'

/** What a shard found in a round, on its way to whoever counts: cells that can be transferred, and whole traces where needed. */
export interface Findings {
  readonly cells: Float64Array<ArrayBuffer>
  readonly length: number
  readonly copies: readonly TraceCopy[]
}

export const FindingKind = { requests: 0, late: 1, uncounted: 2 } as const

/** First cells of a record. */
export const FindingCell = {
  kind: 0,
  /** Cells of the record, these included. */
  length: 1,
  part: 2,
  round: 3,
  rank: 4,
  order: 5,
  /** Index of the trace among the copies, -1 where nobody will want it. */
  copy: 6,
  requests: 7,
  rootRequest: 8,
  crossings: 9,
  blame: 10,
  /** Requests whose missing evidence follows. */
  asked: 11,
  mayBeKept: 12
} as const
export const FINDING_HEAD = 13

/** With a segment log, last cells of a record that says a trace is done with: its id, and where it stands in the log. */
export const CUSTODY_CELLS = 7

export function readCustody(cells: Float64Array, end: number, traceId: Uint32Array, custody: Custody): void {
  const at = end - CUSTODY_CELLS
  for (let word = 0; word < 4; word++) traceId[word] = cells[at + word] as number
  custody.first = cells[at + 4] as number
  custody.last = cells[at + 5] as number
  custody.parts = cells[at + 6] as number
}

/**
 * Cells of a request. Of its phases and patterns nearly all are 0: bits say which of at most 32 are not, and those follow, first
 * the phases. Requests are many and a trace has few, so they are written row by row and not through a loop for each column.
 */
export const RequestCell = {
  span: 0,
  service: 1,
  operation: 2,
  /** Choices from closed lists; see FactShift. */
  facts: 3,
  durationNs: 4,
  leadNs: 5,
  weight: 6,
  /** Of the phases, from PHASE_SLOTS on of the patterns. */
  present: 7
} as const
export const REQUEST_CELLS = 8
/** Where each of the facts has its bits. */
export const FactShift = { class: 0, outcome: 4, sampling: 8, band: 12, partial: 16 } as const
export const FACT_MASK = 0xf
const REQUEST_CELLS_MAX = REQUEST_CELLS + PHASE_SLOTS + PATTERNS

/** Cells of a crossing, row of blame, and of what a request lacked; of each all rows of the first column come first. */
export const CROSSING_CELLS = 3 + BOUNDARY_COMPONENTS
export const BLAME_CELLS = 4
export const ASKED_CELLS = 2 + ADVICES

const FIRST_CELLS = 16_384
const nothing: Findings = { cells: new Float64Array(0), length: 0, copies: [] }

/** Writes decompositions down, for them to be counted in another thread. */
export interface FindingsWriter {
  readonly add: (result: Decomposition, judged: JudgedRequests, place: Place) => void
  readonly addLate: (trace: TraceColumns, place: Place) => void
  readonly addUncounted: (trace: Counted, place: Place) => void
  /** All since the last call. */
  readonly take: () => Findings
}

/** `logged`: there is a segment log, which wants to know of each trace. */
export function createFindingsWriter(logged: boolean): FindingsWriter {
  let cells = new Float64Array(FIRST_CELLS)
  let copies: TraceCopy[] = []
  let top = 0
  const lacking = new Float64Array(ADVICES)

  function makeRoom(count: number): void {
    if (top + count <= cells.length) return
    const larger = new Float64Array(Math.max(top + count, cells.length * 2))
    larger.set(cells.subarray(0, top))
    cells = larger
  }

  function put(value: number): void {
    cells[top++] = value
  }

  function column(from: ArrayLike<number>, count: number): void {
    const to = cells
    const at = top
    for (let i = 0; i < count; i++) to[at + i] = from[i] as number
    top = at + count
  }

  /** Puts those that are not 0, and gives which they are as bits. */
  function sparse(from: Float64Array, first: number, count: number): number {
    const to = cells
    let at = top
    let which = 0
    for (let i = 0; i < count; i++) {
      const value = from[first + i] as number
      if (value === 0) continue
      which |= 1 << i
      to[at++] = value
    }
    top = at
    return which
  }

  function head(kind: number, { part, round, rank, order }: Place): number {
    const at = top
    put(kind)
    put(0)
    put(part)
    put(round)
    put(rank)
    put(order)
    return at
  }

  function keep(trace: TraceColumns): number {
    copies.push(copyTrace(trace))
    return copies.length - 1
  }

  /** Without the trace, its spans are named by their resources, which is all that counting asks of them. */
  function addRequests({ requests, trace }: Decomposition, bands: Uint8Array, whole: boolean): void {
    const to = cells
    for (let i = 0; i < requests.n; i++) {
      const at = top
      to[at + RequestCell.span] = spanOrResource(trace, requests.span[i] as number, whole)
      to[at + RequestCell.service] = requests.service[i] as number
      to[at + RequestCell.operation] = requests.operation[i] as number
      to[at + RequestCell.facts] = factsOf(requests, i, bands)
      to[at + RequestCell.durationNs] = requests.durationNs[i] as number
      to[at + RequestCell.leadNs] = requests.leadNs[i] as number
      to[at + RequestCell.weight] = requests.weight[i] as number
      top = at + REQUEST_CELLS
      const phases = sparse(requests.phaseNs, i * PHASE_SLOTS, PHASE_SLOTS)
      to[at + RequestCell.present] = phases | (sparse(requests.patternNs, i * PATTERNS, PATTERNS) << PHASE_SLOTS)
    }
  }

  function addCrossings({ crossings, trace }: Decomposition, whole: boolean): void {
    const { n } = crossings
    for (let i = 0; i < n; i++) put(spanOrResource(trace, crossings.caller[i] as number, whole))
    for (let i = 0; i < n; i++) put(spanOrResource(trace, crossings.callee[i] as number, whole))
    column(crossings.request, n)
    column(crossings.ns, n * BOUNDARY_COMPONENTS)
  }

  function addBlame(blame: BlameColumns): void {
    column(blame.service, blame.n)
    column(blame.operation, blame.n)
    column(blame.phase, blame.n)
    column(blame.ns, blame.n)
  }

  function addCustody({ traceId, custody }: Counted): void {
    column(traceId, 4)
    put(custody.first)
    put(custody.last)
    put(custody.parts)
  }

  function addAsked(result: Decomposition, bands: Uint8Array): number {
    let asked = 0
    for (let i = 0; i < result.requests.n; i++) {
      if (bands[i] !== Band.gtP99) continue
      makeRoom(ASKED_CELLS)
      lacking.fill(0)
      put(i)
      put(result.missingEvidence(i, lacking))
      column(lacking, ADVICES)
      asked += 1
    }
    return asked
  }

  return {
    add(result, { bands, mayBeKept }, place) {
      const { requests, crossings, trace, rootRequest } = result
      const blame = isBlamed(requests, rootRequest, bands) ? result.blame : undefined
      const blamed = blame?.n ?? 0
      makeRoom(FINDING_HEAD + requests.n * REQUEST_CELLS_MAX + crossings.n * CROSSING_CELLS + blamed * BLAME_CELLS)
      const at = head(FindingKind.requests, place)
      const whole = mayBeKept || trace.closedBy === CloseReason.lateUnit
      put(whole ? keep(trace) : -1)
      put(requests.n)
      put(rootRequest)
      put(crossings.n)
      put(blamed)
      put(0)
      put(mayBeKept ? 1 : 0)
      addRequests(result, bands, whole)
      addCrossings(result, whole)
      if (blame !== undefined) addBlame(blame)
      cells[at + FindingCell.asked] = addAsked(result, bands)
      if (logged) {
        makeRoom(CUSTODY_CELLS)
        addCustody(trace)
      }
      cells[at + FindingCell.length] = top - at
    },
    addLate(trace, place) {
      makeRoom(FINDING_HEAD)
      const at = head(FindingKind.late, place)
      put(keep(trace))
      top = at + FINDING_HEAD
      cells[at + FindingCell.length] = FINDING_HEAD
    },
    addUncounted(trace, place) {
      if (!logged) return
      makeRoom(FINDING_HEAD + CUSTODY_CELLS)
      const at = head(FindingKind.uncounted, place)
      top = at + FINDING_HEAD
      addCustody(trace)
      cells[at + FindingCell.length] = top - at
    },
    take() {
      if (top === 0) return nothing
      const taken = { cells, length: top, copies }
      // About as many will be needed next time: growing costs more than the memory.
      cells = new Float64Array(Math.max(FIRST_CELLS, Math.ceil(top * 1.25)))
      copies = []
      top = 0
      return taken
    }
  }
}

function factsOf(requests: RequestColumns, i: number, bands: Uint8Array): number {
  return (
    ((requests.class[i] as number) << FactShift.class) |
    ((requests.outcome[i] as number) << FactShift.outcome) |
    ((requests.sampling[i] as number) << FactShift.sampling) |
    ((bands[i] as number) << FactShift.band) |
    ((requests.partial[i] as number) << FactShift.partial)
  )
}

function spanOrResource(trace: TraceColumns, span: number, whole: boolean): number {
  return whole ? span : (trace.resource[span] as number)
}

/** As explain charges roots: only of the body and of the tail. */
function isBlamed(requests: RequestColumns, root: number, bands: Uint8Array): boolean {
  if (root < 0) return false
  return bands[root] === Band.gtP99 || (bands[root] === Band.leP50 && requests.outcome[root] === Outcome.ok)
}
