import { type SpanBatch, type Wants } from '../../model/spans.ts'
import { type Strings } from '../../runtime/strings.ts'
import { createComposedNames } from './composed-names.ts'
import { createDecoderCounters, type DecoderCounters } from './counters.ts'
import { decoderLimits, type DecoderLimits } from './limits.ts'
import { operationCompositions } from './operation-names.ts'
import { createRefusalTally, spanRefusalReasons, type Refusals } from './refusals.ts'
import { type ResourceTable } from './resources.ts'
import { senderCompositions, SenderReader } from './sender-reader.ts'
import { batchBytes, createSpanBatch, emptyBatch } from './span-batch.ts'
import { SpanWriter } from './span-writer.ts'
import { TracesJson } from './traces-json.ts'
import { TracesProtobuf } from './traces-protobuf.ts'

export interface DecoderTools {
  readonly strings: Strings
  readonly resources: ResourceTable
  readonly limits?: Partial<DecoderLimits>
  /** Shared with the other decoder, or of its own. */
  readonly counters?: DecoderCounters
}

export interface SpanDecoder {
  /** The accepted spans of the last request; overwritten by the next. Empty after a Fault. */
  readonly batch: SpanBatch
  /**
   * Decodes one ExportTraceServiceRequest. Throws a Fault for malformed bytes, and then nothing of them counts; a span
   * that cannot be is refused alone. `nowMs` NaN = offline: no span is too new or too old. Refusals are reused.
   */
  readonly decodeProtobuf: (bytes: Uint8Array, nowMs: number) => Refusals
  readonly decodeJson: (bytes: Uint8Array, nowMs: number) => Refusals
  readonly counters: DecoderCounters
  readonly memory: () => number
}

export function createSpanDecoder(tools: DecoderTools & { readonly wants: Wants }): SpanDecoder {
  const { strings, resources, wants } = tools
  const limits: DecoderLimits = { ...decoderLimits, ...tools.limits }
  const counters = tools.counters ?? createDecoderCounters()
  const batch = createSpanBatch()
  const compositions = [...operationCompositions, ...senderCompositions]
  const names = createComposedNames(strings, compositions, limits.composedNamesMax)
  const writer = new SpanWriter(batch, { strings, names, wants, limits })
  const sender = new SenderReader({ strings, names, resources, firstComposition: operationCompositions.length })
  const tally = createRefusalTally('span', spanRefusalReasons)
  const parts = { batch, writer, sender, strings, tally }
  const protobuf = new TracesProtobuf(parts)
  const json = new TracesJson(parts)

  function decode(reader: TracesProtobuf | TracesJson, bytes: Uint8Array, nowMs: number): Refusals {
    emptyBatch(batch, limits.idleRowsMax)
    tally.reset()
    writer.beginRequest(nowMs)
    const forgotten = names.forgotten() + resources.aliasesForgotten()
    const overflowed = resources.overflowed()
    let whole = false
    try {
      reader.read(bytes)
      whole = true
    } finally {
      if (!whole) batch.n = 0
    }
    const refusals = tally.finish()
    counters.add('tail_spans_received_total', batch.n)
    counters.add('tail_evidence_overflow_total', writer.overflowed)
    counters.add('tail_composed_names_forgotten_total', names.forgotten() + resources.aliasesForgotten() - forgotten)
    counters.add('tail_resources_overflow_total', resources.overflowed() - overflowed)
    if (refusals.rejected > 0) {
      refusals.byReason.forEach((count, reason) => {
        counters.add('tail_spans_rejected_total', count, reason)
      })
    }
    return refusals
  }

  return {
    batch,
    decodeProtobuf: (bytes, nowMs) => decode(protobuf, bytes, nowMs),
    decodeJson: (bytes, nowMs) => decode(json, bytes, nowMs),
    counters,
    memory: () => batchBytes(batch) + names.bytes()
  }
}
