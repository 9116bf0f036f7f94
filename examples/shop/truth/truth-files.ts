import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { type PhaseName, phases } from '../../../src/model/phases.ts'
import { noTimes, type PhaseTimes } from './phase-times.ts'
import { spanKey } from './spans.ts'

export interface PlacedTruth {
  readonly phase: PhaseName
  readonly fromNs: number
  readonly toNs: number
}

/** What really happened during the own time of one span. */
export interface SpanTruth {
  readonly self: Readonly<PhaseTimes>
  /** What its process did to it between the arrival of what it answers and its start. */
  readonly before: Readonly<PhaseTimes> | undefined
  /** Where in time, for those phases that are told so. In order of time; ns after the recording's base. */
  readonly placed: readonly PlacedTruth[]
}

interface TruthLine {
  readonly trace_id: string
  readonly span_id: string
  readonly self?: Readonly<Record<string, number>>
  readonly before?: Readonly<Record<string, number>>
  readonly intervals?: readonly (readonly [string, string, string])[]
}

interface Entry {
  self: PhaseTimes | undefined
  before: PhaseTimes | undefined
  placed: PlacedTruth[]
}

/** Reads `<service>.truth.jsonl` files: amounts and intervals of one span may come in lines of their own. */
export function readTruth(files: readonly string[], baseNs: bigint): Map<string, SpanTruth> {
  const entries = new Map<string, Entry>()
  for (const file of files) {
    for (const [index, text] of linesOf(file).entries()) {
      if (text === '') continue
      try {
        takeLine(JSON.parse(text) as TruthLine, entries, baseNs)
      } catch (reason) {
        throw new Error(`${file}: line ${index + 1}: ${(reason as Error).message}`, { cause: reason })
      }
    }
  }
  const truth = new Map<string, SpanTruth>()
  for (const [key, { self, before, placed }] of entries) {
    if (self === undefined) continue
    placed.sort((a, b) => a.fromNs - b.fromNs)
    truth.set(key, { self, before, placed })
  }
  return truth
}

function linesOf(file: string): string[] {
  const bytes = readFileSync(file)
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n')
}

function takeLine(line: TruthLine, entries: Map<string, Entry>, baseNs: bigint): void {
  const key = spanKey(line.trace_id, line.span_id)
  let entry = entries.get(key)
  if (entry === undefined) entries.set(key, (entry = { self: undefined, before: undefined, placed: [] }))
  if (line.self !== undefined) entry.self = timesOf(line.self)
  if (line.before !== undefined) entry.before = timesOf(line.before)
  for (const [phase, from, to] of line.intervals ?? []) {
    entry.placed.push({
      phase: phaseOf(phase),
      fromNs: Number(BigInt(from) - baseNs),
      toNs: Number(BigInt(to) - baseNs)
    })
  }
}

function timesOf(given: Readonly<Record<string, number>>): PhaseTimes {
  const times = noTimes()
  for (const [phase, ns] of Object.entries(given)) {
    if (!Number.isFinite(ns) || ns < 0) throw new Error(`${phase} is ${String(ns)} ns`)
    times[phaseOf(phase)] = ns
  }
  return times
}

function phaseOf(name: string): PhaseName {
  const phase = phases.find((known) => known === name)
  if (phase === undefined) throw new Error(`no phase is called ${name}`)
  return phase
}
