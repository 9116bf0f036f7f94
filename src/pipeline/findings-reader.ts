import { ADVICES } from '../model/advice.ts'
import { BOUNDARY_COMPONENTS } from '../model/boundaries.ts'
import {
  type BlameColumns,
  type CrossingColumns,
  type Decomposition,
  type RequestColumns
} from '../model/decomposition.ts'
import { PATTERNS } from '../model/patterns.ts'
import { PHASE_SLOTS } from '../model/phases.ts'
import { CloseReason, type Custody, type TraceColumns } from '../model/spans.ts'
import { type TraceCopy, viewTrace } from '../model/trace-copy.ts'
import { type JudgedRequests } from '../explain/index.ts'
import {
  ASKED_CELLS,
  FACT_MASK,
  FactShift,
  FindingCell,
  FINDING_HEAD,
  type Findings,
  readCustody,
  REQUEST_CELLS,
  RequestCell
} from './findings.ts'
import { type Counted } from './shard.ts'

/** A record as the shard had it, as far as it is to be counted. Reused: read it before the next one. */
export interface ReadFinding {
  readonly result: Decomposition
  readonly judged: JudgedRequests
}

/** Reads what another thread wrote down. */
export interface FindingsReader {
  /** The record at a cell: requests of a trace. */
  readonly read: (findings: Findings, at: number) => ReadFinding
  /** The record at a cell: a trace that is done with, and nothing more. Reused. */
  readonly readUncounted: (findings: Findings, at: number) => Counted
  /** Where the trace of a record stands in the segment log. Reused. */
  readonly custodyOf: (findings: Findings, at: number) => Custody
}

const PHASES_PRESENT = 2 ** PHASE_SLOTS - 1

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export function createFindingsReader(logged: boolean): FindingsReader {
  const requests = requestColumns(16)
  const crossings = crossingColumns(16)
  const blame = blameColumns(16)
  const judged: Mutable<JudgedRequests> = { bands: new Uint8Array(16), mayBeKept: false }
  /** Where there is no trace, its spans are the resources themselves. */
  const noTrace = traceOfResources()
  const uncounted: Counted = { traceId: new Uint32Array(4), custody: { ...noTrace.custody } }
  let cells = new Float64Array(0)
  let askedAt = 0
  let asked = 0
  let top = 0

  function column(to: Float64Array | Uint32Array | Uint8Array, count: number): void {
    const from = cells
    const at = top
    for (let i = 0; i < count; i++) to[i] = from[at + i] as number
    top = at + count
  }

  /** The values that follow, to where the bits of `which` say. */
  function sparse(to: Float64Array, first: number, which: number): void {
    const from = cells
    let at = top
    for (let left = which; left !== 0; left &= left - 1)
      to[first + 31 - Math.clz32(left & -left)] = from[at++] as number
    top = at
  }

  function readFacts(i: number, facts: number): void {
    requests.class[i] = (facts >>> FactShift.class) & FACT_MASK
    requests.outcome[i] = (facts >>> FactShift.outcome) & FACT_MASK
    requests.sampling[i] = (facts >>> FactShift.sampling) & FACT_MASK
    judged.bands[i] = (facts >>> FactShift.band) & FACT_MASK
    requests.partial[i] = (facts >>> FactShift.partial) & FACT_MASK
  }

  function readRequests(n: number): void {
    if (n > requests.span.length) {
      Object.assign(requests, requestColumns(2 * n))
      judged.bands = new Uint8Array(2 * n)
    }
    requests.n = n
    requests.phaseNs.fill(0, 0, n * PHASE_SLOTS)
    requests.patternNs.fill(0, 0, n * PATTERNS)
    const from = cells
    for (let i = 0; i < n; i++) {
      const at = top
      requests.span[i] = from[at + RequestCell.span] as number
      requests.service[i] = from[at + RequestCell.service] as number
      requests.operation[i] = from[at + RequestCell.operation] as number
      readFacts(i, from[at + RequestCell.facts] as number)
      requests.durationNs[i] = from[at + RequestCell.durationNs] as number
      requests.leadNs[i] = from[at + RequestCell.leadNs] as number
      requests.weight[i] = from[at + RequestCell.weight] as number
      top = at + REQUEST_CELLS
      const present = from[at + RequestCell.present] as number
      sparse(requests.phaseNs, i * PHASE_SLOTS, present & PHASES_PRESENT)
      sparse(requests.patternNs, i * PATTERNS, present >>> PHASE_SLOTS)
    }
  }

  function readCrossings(n: number): void {
    if (n > crossings.caller.length) Object.assign(crossings, crossingColumns(2 * n))
    crossings.n = n
    column(crossings.caller, n)
    column(crossings.callee, n)
    column(crossings.request, n)
    column(crossings.ns, n * BOUNDARY_COMPONENTS)
  }

  function readBlame(n: number): void {
    if (n > blame.span.length) Object.assign(blame, blameColumns(2 * n))
    blame.n = n
    column(blame.service, n)
    column(blame.operation, n)
    column(blame.phase, n)
    column(blame.ns, n)
  }

  /** Their spans are rows of Resources: so many that each row names itself. */
  function nameResources(): TraceColumns {
    let most = 0
    for (let i = 0; i < requests.n; i++) most = Math.max(most, requests.span[i] as number)
    for (let i = 0; i < crossings.n; i++) {
      most = Math.max(most, crossings.caller[i] as number, crossings.callee[i] as number)
    }
    if (most >= noTrace.resource.length)
      noTrace.resource = Uint32Array.from({ length: 2 * (most + 1) }, (_, row) => row)
    return noTrace
  }

  const result: Decomposition = {
    trace: noTrace,
    root: -1,
    complete: false,
    conflicts: 0,
    requests,
    rootRequest: -1,
    blame,
    missingEvidence(request, ns) {
      for (let at = askedAt; at < askedAt + asked * ASKED_CELLS; at += ASKED_CELLS) {
        if (cells[at] !== request) continue
        for (let advice = 0; advice < ADVICES; advice++) {
          ns[advice] = (ns[advice] as number) + (cells[at + 2 + advice] as number)
        }
        return cells[at + 1] as number
      }
      return 0
    },
    // Only whoever decomposed it can tell.
    addPathNs: () => undefined,
    crossings,
    path: { n: 0, span: new Uint32Array(0), startNs: new Float64Array(0), endNs: new Float64Array(0) },
    own: {
      phaseNs: new Float64Array(0),
      inProcessChildrenNs: new Float64Array(0),
      startNs: new Float64Array(0),
      endNs: new Float64Array(0),
      parent: new Int32Array(0)
    }
  }

  function readCounted({ cells: from }: Findings, at: number, into: Counted): Counted {
    if (logged) readCustody(from, at + (from[at + FindingCell.length] as number), into.traceId, into.custody)
    return into
  }

  return {
    readUncounted: (findings, at) => readCounted(findings, at, uncounted),
    custodyOf: (findings, at) => readCounted(findings, at, uncounted).custody,
    read(findings, at) {
      cells = findings.cells
      top = at + FINDING_HEAD
      readRequests(cells[at + FindingCell.requests] as number)
      readCrossings(cells[at + FindingCell.crossings] as number)
      readBlame(cells[at + FindingCell.blame] as number)
      askedAt = top
      asked = cells[at + FindingCell.asked] as number
      const copy = cells[at + FindingCell.copy] as number
      // An array asked for what is at -1 looks for a property of that name.
      result.trace = copy < 0 ? nameResources() : viewTrace(findings.copies[copy] as TraceCopy)
      readCounted(findings, at, noTrace)
      result.rootRequest = cells[at + FindingCell.rootRequest] as number
      judged.mayBeKept = cells[at + FindingCell.mayBeKept] === 1
      return { result, judged }
    }
  }
}

function requestColumns(rows: number): RequestColumns {
  return {
    n: 0,
    span: new Uint32Array(rows),
    service: new Uint32Array(rows),
    operation: new Uint32Array(rows),
    class: new Uint8Array(rows),
    outcome: new Uint8Array(rows),
    durationNs: new Float64Array(rows),
    phaseNs: new Float64Array(rows * PHASE_SLOTS),
    leadNs: new Float64Array(rows),
    patternNs: new Float64Array(rows * PATTERNS),
    partial: new Uint8Array(rows),
    weight: new Float64Array(rows),
    sampling: new Uint8Array(rows)
  }
}

function crossingColumns(rows: number): CrossingColumns {
  const ids = (): Uint32Array => new Uint32Array(rows)
  return { n: 0, caller: ids(), callee: ids(), request: ids(), ns: new Float64Array(rows * BOUNDARY_COMPONENTS) }
}

function blameColumns(rows: number): BlameColumns {
  return {
    n: 0,
    span: new Uint32Array(rows),
    service: new Uint32Array(rows),
    operation: new Uint32Array(rows),
    phase: new Uint8Array(rows),
    grade: new Uint8Array(rows),
    ns: new Float64Array(rows)
  }
}

function traceOfResources(): TraceColumns {
  return viewTrace({
    traceId: new Uint32Array(4),
    custody: { first: 0, last: 0, parts: 1 },
    baseHi: 0,
    baseLo: 0,
    closedBy: CloseReason.quiet,
    truncated: false,
    n: 0,
    evidenceRows: 0,
    buffer: new ArrayBuffer(0)
  })
}
