import { z } from 'zod'
import { durationMs, section, sizeBytes } from '../runtime/setting-kinds.ts'
import { type SwitchName, switchNames } from './judge/inference/rules/names.ts'
import type { Rule } from './rules/rule.ts'

export { readRules, rulesSection, writeRules } from './rules/settings.ts'
export type { Rule } from './rules/rule.ts'

const inferenceSection = section({
  without: z
    .array(z.enum(switchNames))
    .default([])
    .describe(`Rules that are switched off, to see what each is worth: ${switchNames.join(', ')}.`),
  wait: durationMs
    .default(5_000)
    .describe(
      'A trace with something unusually long is judged this long after it closed, so that what ran beside it has closed too. Raise it when services export rarely.'
    ),
  held_bytes_max: sizeBytes
    .default(64 * 1024 ** 2)
    .describe('Memory for such traces while they wait; with more, the oldest are judged at once.'),
  pieces_max: z
    .int()
    .min(1024)
    .max(2 ** 26)
    .default(2 ** 20)
    .describe(
      'Pieces of recent requests that are remembered to judge others by, 45 bytes each; a power of two. Raise it when a busy service leaves less than 20 seconds of them.'
    ),
  requests_max: z
    .int()
    .min(1024)
    .max(2 ** 24)
    .default(2 ** 18)
    .describe('The same of whole requests, by which queues are found, 100 bytes each.'),
  spreads_max: z
    .int()
    .min(1)
    .default(32_768)
    .describe(
      'Kinds of pieces whose usual length is remembered, 0.4 KiB each. The longest unused are forgotten first.'
    ),
  queues_max: z
    .int()
    .min(1)
    .default(4_096)
    .describe('Operations of a process that are watched for a queue, 0.6 KiB each.')
})

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
  runtime_instances_max: z
    .int()
    .min(1)
    .default(1_024)
    .describe(
      'Processes whose runtime metrics (Go, tokio, cgroup) are remembered, 33 KiB each. The longest silent are forgotten first.'
    ),
  runtime_intervals_max: z
    .int()
    .min(2)
    .default(64)
    .describe(
      'Intervals remembered of each runtime figure, 24 B each. Raise it when metrics come more often than every 10 s and traces are long.'
    ),
  clock_correction: z
    .boolean()
    .default(true)
    .describe('Take clock offsets between hosts out of the traces. Switch off to see the times as they were sent.'),
  inference: inferenceSection
    .prefault({})
    .describe('What the spans of one process say together: queues, stalls, gaps. Only where a process is known.')
})

export interface InferenceSettings {
  readonly without: readonly SwitchName[]
  readonly waitMs: number
  readonly heldBytesMax: number
  readonly piecesMax: number
  readonly requestsMax: number
  readonly spreadsMax: number
  readonly queuesMax: number
}

export interface DecomposeSettings {
  readonly bodyPiecesMin: number
  readonly bodiesMax: number
  readonly edgesMax: number
  readonly clockPairsMax: number
  readonly clockCorrection: boolean
  readonly inference: InferenceSettings
  readonly runtimeInstancesMax: number
  readonly runtimeIntervalsMax: number
  readonly rules: readonly Rule[]
}

export function decomposeSettings(
  given: z.infer<typeof decomposeSection>,
  rules: readonly Rule[] = []
): DecomposeSettings {
  return {
    bodyPiecesMin: given.body_pieces_min,
    bodiesMax: given.bodies_max,
    edgesMax: given.edges_max,
    clockPairsMax: given.clock_pairs_max,
    clockCorrection: given.clock_correction,
    inference: {
      without: given.inference.without,
      waitMs: given.inference.wait,
      heldBytesMax: given.inference.held_bytes_max,
      piecesMax: given.inference.pieces_max,
      requestsMax: given.inference.requests_max,
      spreadsMax: given.inference.spreads_max,
      queuesMax: given.inference.queues_max
    },
    runtimeInstancesMax: given.runtime_instances_max,
    runtimeIntervalsMax: given.runtime_intervals_max,
    rules
  }
}
