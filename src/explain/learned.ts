import { QUANTILES } from '../model/requests.ts'
import { Fault } from '../runtime/fault.ts'

/** What explain has learned, by name: the dump of a service, and what `analyze` finds in its first pass. */
export interface Learned {
  readonly thresholds: readonly LearnedThresholds[]
  readonly streams: readonly LearnedStream[]
}

export interface LearnedThresholds {
  readonly service: string
  readonly operation: string
  /** Requests that the thresholds were found from, unweighted. */
  readonly requests: number
  /** p50, p95, p99, p99.9. */
  readonly ns: readonly number[]
}

export interface LearnedStream {
  readonly service: string
  readonly operation: string
}

/** Reads a dump, ignoring what it does not know: other stages put theirs in the same file. */
export function readLearned(learned: unknown): Learned {
  const { thresholds, streams } = record(learned, 'learned')
  return {
    thresholds: list(thresholds, 'thresholds').map((entry, i) => readThresholds(entry, `thresholds[${i}]`)),
    streams: list(streams, 'streams').map((entry, i) => readName(record(entry, `streams[${i}]`), `streams[${i}]`))
  }
}

function readThresholds(entry: unknown, where: string): LearnedThresholds {
  const fields = record(entry, where)
  const { requests } = fields
  if (typeof requests !== 'number' || !(requests >= 0)) throw wrong(`${where}.requests`, 'a count', requests)
  const ns = list(fields['ns'], `${where}.ns`).map((value, i) => {
    if (typeof value !== 'number' || !(value >= 0)) throw wrong(`${where}.ns[${i}]`, 'nanoseconds', value)
    return value
  })
  if (ns.length !== QUANTILES) throw wrong(`${where}.ns`, `${QUANTILES} numbers`, ns)
  return { ...readName(fields, where), requests, ns }
}

function readName(fields: Readonly<Record<string, unknown>>, where: string): LearnedStream {
  const { service, operation } = fields
  if (typeof service !== 'string') throw wrong(`${where}.service`, 'a string', service)
  if (typeof operation !== 'string') throw wrong(`${where}.operation`, 'a string', operation)
  return { service, operation }
}

function record(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(where, 'an object', value)
  return value as Record<string, unknown>
}

function list(value: unknown, where: string): readonly unknown[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw wrong(where, 'a list', value)
  return value as readonly unknown[]
}

function wrong(where: string, expected: string, got: unknown): Fault {
  return new Fault(
    'BAD_FILE',
    `${where}: expected ${expected}, got ${got === undefined ? 'nothing' : JSON.stringify(got)}`
  )
}
