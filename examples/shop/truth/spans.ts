import { createDecoderCounters, createResources, createSpanDecoder, decoderLimits } from '../../../src/accept/index.ts'
import { type SpanBatch } from '../../../src/model/spans.ts'
import { readOtlpFile } from '../../../src/programs/analyze/otlp-file.ts'
import { createStrings } from '../../../src/runtime/strings.ts'

/** A span as it was sent. Times are ns after the recording's base, exact. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly service: string
  /** Service and process, as the service itself tells processes apart. */
  readonly process: string
  readonly name: string
  readonly kind: number
  readonly startNs: number
  readonly endNs: number
  /** By start. */
  readonly children: Span[]
  parent: Span | undefined
}

export interface RecordedSpans {
  /** Unix time in ns. */
  readonly baseNs: bigint
  readonly byId: ReadonlyMap<string, Span>
}

const STRINGS = { stringsMax: 1 << 20, bytesMax: 64 * 1024 ** 2, stringBytesMax: 512, seed: 1 }
/** There is no clock by which a span of a recording could be too old. */
const OFFLINE = NaN

export const spanKey = (traceId: string, spanId: string): string => `${traceId}/${spanId}`

/** Reads the spans of a recording. Of several with one id the first wins, as in the service. */
export async function readSpans(files: readonly string[]): Promise<RecordedSpans> {
  const strings = createStrings(STRINGS)
  const resources = createResources(strings, decoderLimits)
  const decoder = createSpanDecoder({ strings, resources, wants: [], counters: createDecoderCounters() })
  const byId = new Map<string, Span>()
  let baseNs: bigint | undefined

  function take(batch: SpanBatch): void {
    for (let row = 0; row < batch.n; row++) {
      const startNs = wordsToNs(batch.startHi[row] as number, batch.startLo[row] as number)
      const endNs = wordsToNs(batch.endHi[row] as number, batch.endLo[row] as number)
      baseNs ??= startNs
      const resource = batch.resource[row] as number
      const service = strings.text(resources.service[resource] as number)
      const span: Span = {
        traceId: hex(batch.traceId, 4 * row, 4),
        spanId: hex(batch.spanId, 2 * row, 2),
        parentId: hex(batch.parentId, 2 * row, 2),
        service,
        process: `${service}/${strings.text(resources.process[resource] as number)}`,
        name: strings.text(batch.name[row] as number),
        kind: batch.kind[row] as number,
        startNs: Number(startNs - baseNs),
        endNs: Number(endNs - baseNs),
        children: [],
        parent: undefined
      }
      const key = spanKey(span.traceId, span.spanId)
      if (!byId.has(key)) byId.set(key, span)
    }
  }

  for (const file of files) {
    await readOtlpFile(file, {
      payload({ signal, encoding, bytes }) {
        if (signal !== 'traces') return
        if (encoding === 'json') decoder.decodeJson(bytes, OFFLINE)
        else decoder.decodeProtobuf(bytes, OFFLINE)
        take(decoder.batch)
      },
      problem({ where, message }) {
        throw new Error(`${file}: ${where}: ${message}`)
      },
      progress: () => undefined
    })
  }
  link(byId)
  return { baseNs: baseNs ?? 0n, byId }
}

function link(byId: ReadonlyMap<string, Span>): void {
  for (const span of byId.values()) {
    span.parent = byId.get(spanKey(span.traceId, span.parentId))
    span.parent?.children.push(span)
  }
  for (const { children } of byId.values()) children.sort((a, b) => a.startNs - b.startNs)
}

function wordsToNs(hi: number, lo: number): bigint {
  return (BigInt(hi) << 32n) + BigInt(lo)
}

function hex(words: Uint32Array, first: number, count: number): string {
  let text = ''
  for (let i = first; i < first + count; i++) text += (words[i] as number).toString(16).padStart(8, '0')
  return text
}
