import { z } from 'zod'
import { section } from '../runtime/setting-kinds.ts'

export const decomposeSection = section({
  body_pieces_min: z
    .int()
    .min(1)
    .default(20)
    .describe(
      'How often a piece of own time must be seen before its median counts as what the code needs. Raise it when operations are few but vary much.'
    ),
  bodies_max: z
    .int()
    .min(1)
    .default(32_768)
    .describe('Pieces of own time whose bodies are remembered, 0.3 KiB each. The longest unused are forgotten first.'),
  edges_max: z.int().min(1).default(8_192).describe('Calls (service and span name) remembered as answered or not.'),
  clock_pairs_max: z
    .int()
    .min(1)
    .default(1_024)
    .describe('Pairs of hosts whose clock offset is estimated, 1 KiB each.'),
  clock_correction: z
    .boolean()
    .default(true)
    .describe('Take clock offsets between hosts out of the traces. Switch off to see the times as they were sent.')
})

export interface DecomposeSettings {
  readonly bodyPiecesMin: number
  readonly bodiesMax: number
  readonly edgesMax: number
  readonly clockPairsMax: number
  readonly clockCorrection: boolean
}

export function decomposeSettings(given: z.infer<typeof decomposeSection>): DecomposeSettings {
  return {
    bodyPiecesMin: given.body_pieces_min,
    bodiesMax: given.bodies_max,
    edgesMax: given.edges_max,
    clockPairsMax: given.clock_pairs_max,
    clockCorrection: given.clock_correction
  }
}
