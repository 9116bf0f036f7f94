import { createProtobufWriter, protobufEncoding } from './protobuf-writer.ts'
import { renderTables, SLICE_BYTES, type FirstUses, type Slices } from './render.ts'
import { writeSampled, type SampledFamily } from './sampled-family.ts'
import { createSeriesLabels, type SeriesLabels } from './series-labels.ts'
import { type Format } from './negotiate.ts'
import { type ExposeSources, type ExposeTools } from './sources.ts'
import { createTextWriter, textEncoding } from './text-writer.ts'
import { createFirstUse, type ZeroFirst } from './zero-first.ts'
import { type Encoding, type ExpositionWriter } from './writer.ts'
import { PHASES, PHASE_SLOTS } from '../model/phases.ts'

/** Everything on /metrics in one format, in slices. */
export type Exposition = (format: Format, families: readonly SampledFamily[]) => Slices

export function createExposition(
  { tables }: Pick<ExposeSources, 'tables'>,
  { strings, nowMs }: Pick<ExposeTools, 'strings' | 'nowMs'>,
  zeroFirst: ZeroFirst
): Exposition {
  const firstUse: FirstUses = {
    evidence: createFirstUse(PHASE_SLOTS),
    lead: createFirstUse(1),
    blame: createFirstUse(PHASES)
  }
  const textLabels = createSeriesLabels(textEncoding, tables, strings)
  const protobufLabels = createSeriesLabels(protobufEncoding, tables, strings)

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
