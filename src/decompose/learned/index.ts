import type { Resources } from '../../model/spans.ts'
import type { SharedMemory } from '../../runtime/shared-memory.ts'
import type { Strings } from '../../runtime/strings.ts'
import type { DecomposeSettings } from '../settings.ts'
import { type Bodies, createBodies } from './bodies.ts'
import { type Clocks, createClocks } from './clocks.ts'
import { createEdges, type Edges } from './edges.ts'
import { createRuntimeMetrics, type RuntimeMetrics, type RuntimeRow } from './runtime-metrics/index.ts'
import { createServers, type Servers } from './servers.ts'
import { aroundNames, createSpreads, type Spreads } from './spreads.ts'

/** Pieces that a class needs before anything is unusual against it. */
const SPREAD_PIECES_MIN = 30

/** What a running service has learned, in names: the same object live and offline. */
export interface LearnedDump {
  readonly schema: 'tailspan.learned.decompose/1'
  /** service, span, before, after, pieces seen, median in ns, and how long they may be to be usual. */
  readonly bodies: readonly (readonly [string, string, string, string, number, number, number])[]
  /** service, span name of an instrumented call. */
  readonly edges: readonly (readonly [string, string])[]
  /** from, to, ns that the second clock runs ahead. */
  readonly clocks: readonly (readonly [string, string, number])[]
  /** service, span, before, after, pieces seen; in ns the median, what is no longer than usual, and the 95th percentile. */
  readonly spreads: readonly (readonly [string, string, string, string, number, number, number, number])[]
  /** process, operation, servers that its requests queue for. */
  readonly servers: readonly (readonly [string, string, number])[]
  /** The same of servers that the whole process shares; none in dumps of older versions. */
  readonly shared_servers?: readonly (readonly [string, string, number])[]
  /** Runtime figures by process and interval; none in dumps of older versions. */
  readonly runtime?: readonly RuntimeRow[]
}

/** Between the calls of one request its server may be another's, so that more requests than servers seem to be served. */
const SHARED_CONTRADICTED_MAX = 0.2

export interface Learned {
  readonly bodies: Bodies
  readonly edges: Edges
  readonly clocks: Clocks
  readonly spreads: Spreads
  readonly servers: Servers
  readonly sharedServers: Servers
  readonly runtime: RuntimeMetrics
  readonly publish: () => void
  readonly dump: () => LearnedDump
  /** Takes over a dump; unknown shapes throw with the path of what is wrong. */
  readonly load: (dump: unknown) => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
}

export function createLearned(
  settings: DecomposeSettings,
  tools: { readonly strings: Strings; readonly resources: Resources; readonly memory: SharedMemory }
): Learned {
  const { strings, memory } = tools
  const bodies = createBodies({ piecesMin: settings.bodyPiecesMin, rowsMax: settings.bodiesMax, memory })
  const edges = createEdges(settings.edgesMax, memory)
  const clocks = createClocks(settings.clockPairsMax, memory)
  const { spreadsMax, queuesMax } = settings.inference
  const spreads = createSpreads({ piecesMin: SPREAD_PIECES_MIN, rowsMax: spreadsMax, memory })
  const servers = createServers({ rowsMax: queuesMax, memory })
  const sharedServers = createServers({ rowsMax: queuesMax, memory, contradictedMax: SHARED_CONTRADICTED_MAX })
  const runtime = createRuntimeMetrics(
    { instancesMax: settings.runtimeInstancesMax, intervalsPerFigure: settings.runtimeIntervalsMax },
    tools
  )

  function dump(): LearnedDump {
    const text = strings.text
    const bodyRows: LearnedDump['bodies'][number][] = []
    bodies.each((key, pieces, medianNs, usualNs) => {
      const [service = 0, span = 0, before = 0, after = 0] = key
      bodyRows.push([text(service), text(span), text(before), text(after), pieces, medianNs, usualNs])
    })
    const edgeRows: LearnedDump['edges'][number][] = []
    edges.each((service, call) => edgeRows.push([text(service), text(call)]))
    const clockRows: LearnedDump['clocks'][number][] = []
    clocks.each((from, to, offsetNs) => clockRows.push([text(from), text(to), offsetNs]))
    const spreadRows: LearnedDump['spreads'][number][] = []
    spreads.each((key, pieces, quantilesNs) => {
      const [service = '', span = '', before = '', after = ''] = key.map((id) => textOf(id, text))
      const [medianNs = 0, usualNs = 0, dueNs = 0] = quantilesNs
      spreadRows.push([service, span, before, after, pieces, medianNs, usualNs, dueNs])
    })
    const serverRowsOf = (of: Servers): LearnedDump['servers'][number][] => {
      const rows: LearnedDump['servers'][number][] = []
      of.each((process, operation, count) => rows.push([text(process), text(operation), count]))
      return rows
    }
    return {
      schema: 'tailspan.learned.decompose/1',
      bodies: bodyRows,
      edges: edgeRows,
      clocks: clockRows,
      spreads: spreadRows,
      servers: serverRowsOf(servers),
      shared_servers: serverRowsOf(sharedServers),
      runtime: runtime.dump()
    }
  }

  function load(given: unknown): void {
    const id = (text: unknown, path: string): number => {
      if (typeof text !== 'string') throw new TypeError(`${path}: expected a string`)
      return strings.internText(text)
    }
    const ns = (value: unknown, path: string): number => {
      if (typeof value !== 'number' || !Number.isFinite(value)) throw new TypeError(`${path}: expected a number`)
      return value
    }
    if (!isRecord(given) || given['schema'] !== 'tailspan.learned.decompose/1') {
      throw new TypeError('schema: expected tailspan.learned.decompose/1')
    }
    for (const [i, row] of rowsOf(given, 'bodies').entries()) {
      const at = `bodies[${i}]`
      const key = [0, 1, 2, 3].map((part) => id(row[part], at))
      bodies.set(key, ns(row[4], at), ns(row[5], at), row.length > 6 ? ns(row[6], at) : ns(row[5], at))
    }
    for (const [i, row] of rowsOf(given, 'edges').entries()) {
      edges.set(id(row[0], `edges[${i}]`), id(row[1], `edges[${i}]`))
    }
    for (const [i, row] of rowsOf(given, 'clocks').entries()) {
      const at = `clocks[${i}]`
      clocks.set(id(row[0], at), id(row[1], at), ns(row[2], at))
    }
    // Dumps from before these were learned lack them.
    for (const [i, row] of rowsOf(given, 'spreads', []).entries()) {
      const at = `spreads[${i}]`
      const key = [0, 1, 2, 3].map((part) => around(row[part]) ?? id(row[part], at))
      spreads.set(
        key,
        ns(row[4], at),
        [5, 6, 7].map((part) => ns(row[part], at))
      )
    }
    for (const [name, of] of [
      ['servers', servers],
      ['shared_servers', sharedServers]
    ] as const) {
      for (const [i, row] of rowsOf(given, name, []).entries()) {
        const at = `${name}[${i}]`
        of.set(id(row[0], at), id(row[1], at), ns(row[2], at))
      }
    }
    for (const [i, row] of ('runtime' in given ? rowsOf(given, 'runtime') : []).entries()) {
      const at = `runtime[${i}]`
      const intervals: unknown = row[3]
      if (typeof row[2] !== 'string' || !Array.isArray(intervals))
        throw new TypeError(`${at}: expected a figure and numbers`)
      const sender = { process: id(row[0], at), service: id(row[1], at) }
      runtime.set(
        sender,
        row[2],
        intervals.map((value) => ns(value, at))
      )
    }
  }

  return {
    bodies,
    edges,
    clocks,
    spreads,
    servers,
    sharedServers,
    runtime,
    publish() {
      bodies.publish()
      edges.publish()
      clocks.publish()
      spreads.publish()
      servers.publish()
      sharedServers.publish()
      runtime.publish()
    },
    dump,
    load,
    mark(marked) {
      bodies.mark(marked)
      edges.mark(marked)
      clocks.mark(marked)
      spreads.mark(marked)
      servers.mark(marked)
      sharedServers.mark(marked)
      runtime.mark(marked)
    },
    bytes: () =>
      [bodies, edges, clocks, spreads, servers, sharedServers, runtime].reduce((sum, part) => sum + part.bytes(), 0)
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** What is no string's id is written in pointed brackets, which no name needs to be told from: it stands in its own column. */
const textOf = (id: number, text: (id: number) => string): string =>
  id < 0 ? `<${aroundNames[-1 - id] ?? ''}>` : text(id)

function around(text: unknown): number | undefined {
  const index = aroundNames.findIndex((name) => text === `<${name}>`)
  return index < 0 ? undefined : -1 - index
}

function rowsOf(given: Record<string, unknown>, key: string, without?: unknown[][]): unknown[][] {
  const rows = given[key] ?? without
  if (!Array.isArray(rows)) throw new TypeError(`${key}: expected an array`)
  return rows.map((row: unknown, i) => {
    if (!Array.isArray(row)) throw new TypeError(`${key}[${i}]: expected an array`)
    return row as unknown[]
  })
}
