import type { Strings } from '../../runtime/strings.ts'
import type { DecomposeSettings } from '../settings.ts'
import { type Bodies, createBodies } from './bodies.ts'
import { type Clocks, createClocks } from './clocks.ts'
import { createEdges, type Edges } from './edges.ts'

/** What a running service has learned, in names: the same object live and offline. */
export interface LearnedDump {
  readonly schema: 'tailspan.learned.decompose/1'
  /** service, span, before, after, pieces seen, median in ns. */
  readonly bodies: readonly (readonly [string, string, string, string, number, number])[]
  /** service, span name of an instrumented call. */
  readonly edges: readonly (readonly [string, string])[]
  /** from, to, ns that the second clock runs ahead. */
  readonly clocks: readonly (readonly [string, string, number])[]
}

export interface Learned {
  readonly bodies: Bodies
  readonly edges: Edges
  readonly clocks: Clocks
  readonly publish: () => void
  readonly dump: () => LearnedDump
  /** Takes over a dump; unknown shapes throw with the path of what is wrong. */
  readonly load: (dump: unknown) => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
}

export function createLearned(settings: DecomposeSettings, strings: Strings): Learned {
  const bodies = createBodies({ piecesMin: settings.bodyPiecesMin, rowsMax: settings.bodiesMax })
  const edges = createEdges(settings.edgesMax)
  const clocks = createClocks(settings.clockPairsMax)

  function dump(): LearnedDump {
    const text = strings.text
    const bodyRows: LearnedDump['bodies'][number][] = []
    bodies.each((key, pieces, medianNs) => {
      const [service = 0, span = 0, before = 0, after = 0] = key
      bodyRows.push([text(service), text(span), text(before), text(after), pieces, medianNs])
    })
    const edgeRows: LearnedDump['edges'][number][] = []
    edges.each((service, call) => edgeRows.push([text(service), text(call)]))
    const clockRows: LearnedDump['clocks'][number][] = []
    clocks.each((from, to, offsetNs) => clockRows.push([text(from), text(to), offsetNs]))
    return { schema: 'tailspan.learned.decompose/1', bodies: bodyRows, edges: edgeRows, clocks: clockRows }
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
      bodies.set(key, ns(row[4], at), ns(row[5], at))
    }
    for (const [i, row] of rowsOf(given, 'edges').entries()) {
      edges.set(id(row[0], `edges[${i}]`), id(row[1], `edges[${i}]`))
    }
    for (const [i, row] of rowsOf(given, 'clocks').entries()) {
      const at = `clocks[${i}]`
      clocks.set(id(row[0], at), id(row[1], at), ns(row[2], at))
    }
  }

  return {
    bodies,
    edges,
    clocks,
    publish() {
      bodies.publish()
      edges.publish()
      clocks.publish()
    },
    dump,
    load,
    mark(marked) {
      bodies.mark(marked)
      edges.mark(marked)
      clocks.mark(marked)
    },
    bytes: () => bodies.bytes() + edges.bytes() + clocks.bytes()
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

function rowsOf(given: Record<string, unknown>, key: string): unknown[][] {
  const rows = given[key]
  if (!Array.isArray(rows)) throw new TypeError(`${key}: expected an array`)
  return rows.map((row: unknown, i) => {
    if (!Array.isArray(row)) throw new TypeError(`${key}[${i}]: expected an array`)
    return row as unknown[]
  })
}
