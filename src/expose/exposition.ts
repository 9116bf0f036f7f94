import { PATTERNS } from '../model/patterns.ts'
import { PHASES, PHASE_SLOTS } from '../model/phases.ts'
import { type TailTables } from '../model/tail.ts'
import { createProtobufWriter, protobufEncoding } from './protobuf-writer.ts'
import { renderTables, SLICE_BYTES, type FirstUses, type Slices } from './render.ts'
import { writeSampled, type SampledFamily } from './sampled-family.ts'
import { createSeriesLabels, type SeriesLabels } from './series-labels.ts'
import { type Format } from './negotiate.ts'
import { createTextWriter, textEncoding } from './text-writer.ts'
import { createFirstUse, type ZeroFirst } from './zero-first.ts'
import { type Encoding, type ExpositionWriter } from './writer.ts'

/** Everything on /metrics in one format, in slices. */
export type Exposition = (format: Format, families: readonly SampledFamily[]) => Slices

export interface ExpositionTools {
  readonly nowMs: () => number
  readonly nameOf: (id: number) => string
  readonly zeroFirst: ZeroFirst
}

export function createExposition(tables: TailTables, { nowMs, nameOf, zeroFirst }: ExpositionTools): Exposition {
  const firstUse: FirstUses = {
    evidence: createFirstUse(PHASE_SLOTS),
    lead: createFirstUse(1),
    patterns: createFirstUse(PATTERNS),
    blame: createFirstUse(PHASES),
    budget: createFirstUse(PHASES)
  }
  const textLabels = createSeriesLabels(textEncoding, tables, nameOf)
  const protobufLabels = createSeriesLabels(protobufEncoding, tables, nameOf)

  function* slices<Labels>(
    writer: ExpositionWriter<Labels>,
    labels: SeriesLabels<Labels>,
    encoding: Encoding<Labels>,
    families: readonly SampledFamily[]
  ): Slices {
    yield* renderTables({ tables, labels, writer, zeroFirst, firstUse, nowMs: nowMs() })
    for (const family of families) {
      writeSampled(family, encoding, writer)
      if (writer.pending() >= SLICE_BYTES) yield writer.take()
    }
    writer.finish()
    yield writer.take()
  }

  return (format, families) =>
    format === 'protobuf'
      ? slices(createProtobufWriter(), protobufLabels, protobufEncoding, families)
      : slices(createTextWriter(format), textLabels, textEncoding, families)
}
