import { Evidence, languages, type SpanBatch, type Want } from '../../../../src/model/spans.ts'
import { outcomes } from '../../../../src/model/requests.ts'
import {
  createResources,
  createSpanDecoder,
  decoderLimits,
  type DecoderLimits,
  type ResourceTable,
  type SpanDecoder
} from '../../../../src/accept/otlp/index.ts'
import { createStrings, type Strings } from '../../../../src/runtime/strings.ts'

export interface Bench {
  readonly strings: Strings
  readonly resources: ResourceTable
  readonly decoder: SpanDecoder
}

export function createBench(wants: readonly Want[] = [], limits: Partial<DecoderLimits> = {}): Bench {
  const strings = createStrings({ stringsMax: 50_000, bytesMax: 1 << 22, stringBytesMax: 256, seed: 42 })
  const resources = createResources(strings, { ...decoderLimits, ...limits })
  return { strings, resources, decoder: createSpanDecoder({ strings, resources, wants, limits }) }
}

/** One row of a batch, with words and ids turned into text. */
export interface SpanRow {
  traceId: string
  spanId: string
  parentId: string
  startNs: bigint
  endNs: bigint
  name: string
  operation: string
  scope: string
  service: string
  process: string
  host: string
  version: string
  language: string
  kind: number
  outcome: string
  flags: number
  evidence: { code: number; a: number | string; b: number }[]
}

export function rowsOf({ decoder, strings, resources }: Bench, textCodes: readonly number[] = []): SpanRow[] {
  const { batch } = decoder
  const text = (id: number | undefined): string => strings.text(id as number)
  return Array.from({ length: batch.n }, (_, row) => {
    const resource = batch.resource[row] as number
    return {
      traceId: hex(batch.traceId, 4 * row, 4),
      spanId: hex(batch.spanId, 2 * row, 2),
      parentId: hex(batch.parentId, 2 * row, 2),
      startNs: ns(batch.startHi[row], batch.startLo[row]),
      endNs: ns(batch.endHi[row], batch.endLo[row]),
      name: text(batch.name[row]),
      operation: text(batch.operation[row]),
      scope: text(batch.scope[row]),
      service: text(resources.service[resource]),
      process: text(resources.process[resource]),
      host: text(resources.host[resource]),
      version: text(resources.version[resource]),
      language: languages[resources.language[resource] as number] as string,
      kind: batch.kind[row] as number,
      outcome: outcomes[batch.outcome[row] as number] as string,
      flags: batch.flags[row] as number,
      evidence: evidenceOf(batch, row, (code, a) => (textCodes.includes(code) ? text(a) : a))
    }
  })
}

function evidenceOf(
  batch: SpanBatch,
  row: number,
  shown: (code: number, a: number) => number | string
): SpanRow['evidence'] {
  const first = row === 0 ? 0 : (batch.evidenceEnd[row - 1] as number)
  const rows: SpanRow['evidence'] = []
  for (let i = first; i < (batch.evidenceEnd[row] as number); i++) {
    const code = batch.evidence.code[i] as number
    rows.push({ code, a: shown(code, batch.evidence.a[i] as number), b: batch.evidence.b[i] as number })
  }
  return rows
}

export function hex(words: Uint32Array, at: number, count: number): string {
  return [...words.subarray(at, at + count)].map((word) => word.toString(16).padStart(8, '0')).join('')
}

function ns(hi: number | undefined, lo: number | undefined): bigint {
  return BigInt(hi as number) * 4294967296n + BigInt(lo as number)
}

export const wants: readonly Want[] = [
  { from: 'attribute', key: 'busy_ns', type: 'number' },
  { from: 'attribute', key: 'idle_ns', type: 'number' },
  { from: 'attribute', key: 'peer.text', type: 'string' },
  { from: 'attribute', key: 'http.route', type: 'string' },
  { from: 'event', field: 'aquired_after_secs' },
  { from: 'event', where: { key: 'target', equals: 'sqlx::query' }, field: 'elapsed_secs' },
  { from: 'event', name: 'processing request', where: { key: 'target', equals: 'tower::buffer::worker' } },
  { from: 'event', name: 'exception' },
  { from: 'attribute', key: '__proto__', type: 'number' }
]
export const wantedTextCodes = [Evidence.firstWanted + 2, Evidence.firstWanted + 3]
