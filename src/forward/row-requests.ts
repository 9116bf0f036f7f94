import { type SpansOfScope } from './arrivals.ts'
import { type ScopeEnvelope } from './envelopes.ts'
import { fieldBytes, RESOURCE_SPANS, SCOPE_SPANS, SPAN, writeHead } from './wire.ts'

/** Where the spans of the body at hand are by their row, to be put into requests of their own for the threads that their traces are in. */
export interface RowRequests {
  readonly begin: (source: Buffer) => void
  /** Spans from..end are those of the next rows. */
  readonly note: (spans: SpansOfScope, from: number, end: number) => void
  /** A request of nothing but these rows in this order, alone in its ArrayBuffer; undefined when they were not noted. */
  readonly requestOf: (rows: readonly number[]) => Uint8Array<ArrayBuffer> | undefined
  /** Forgets the body. */
  readonly end: () => void
}

/** Rows that follow each other and came in the same. */
interface Run {
  readonly envelope: ScopeEnvelope
  readonly rows: number[]
  scopeBytes: number
}

export function createRowRequests(): RowRequests {
  let source: Buffer = Buffer.alloc(0)
  let from: number[] = []
  let to: number[] = []
  let envelopes: ScopeEnvelope[] = []

  const lengthOf = (row: number): number => (to[row] as number) - (from[row] as number)

  function runsOf(rows: readonly number[]): Run[] {
    const runs: Run[] = []
    let run: Run | undefined
    for (const row of rows) {
      const envelope = envelopes[row]
      if (envelope === undefined) continue
      if (run?.envelope !== envelope) {
        run = { envelope, rows: [], scopeBytes: envelope.bytes.length }
        runs.push(run)
      }
      run.rows.push(row)
      run.scopeBytes += fieldBytes(lengthOf(row))
    }
    return runs
  }

  function write(bytes: Buffer, at: number, { envelope, rows, scopeBytes }: Run): number {
    at = writeHead(bytes, at, RESOURCE_SPANS, resourceBytes(envelope, scopeBytes))
    at += envelope.resource.bytes.copy(bytes, at)
    at = writeHead(bytes, at, SCOPE_SPANS, scopeBytes)
    at += envelope.bytes.copy(bytes, at)
    for (const row of rows) {
      at = writeHead(bytes, at, SPAN, lengthOf(row))
      at += source.copy(bytes, at, from[row], to[row])
    }
    return at
  }

  return {
    begin(body) {
      source = body
    },
    note({ places, envelope }, first, end) {
      for (let i = first; i < end; i++) {
        from.push(places[2 * i] as number)
        to.push(places[2 * i + 1] as number)
        envelopes.push(envelope)
      }
    },
    requestOf(rows) {
      const runs = runsOf(rows)
      if (runs.length === 0) return undefined
      const length = runs.reduce((sum, run) => sum + fieldBytes(resourceBytes(run.envelope, run.scopeBytes)), 0)
      const request = new Uint8Array(length)
      const bytes = Buffer.from(request.buffer)
      let at = 0
      for (const run of runs) at = write(bytes, at, run)
      return request
    },
    end() {
      source = Buffer.alloc(0)
      from = []
      to = []
      envelopes = []
    }
  }
}

const resourceBytes = ({ resource }: ScopeEnvelope, scopeBytes: number): number =>
  resource.bytes.length + fieldBytes(scopeBytes)
