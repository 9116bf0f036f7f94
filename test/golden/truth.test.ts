import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from '@jest/globals'
import { analyzeRecording } from '../../examples/shop/truth/analysis.ts'
import { type Figures, type Tally } from '../../examples/shop/truth/figures.ts'
import { findRecordings, type Recording, recordingName } from '../../examples/shop/truth/recording.ts'
import { byCause, meanOverCauses } from '../../examples/shop/truth/report.ts'
import { score } from '../../examples/shop/truth/score.ts'
import { readSpans } from '../../examples/shop/truth/spans.ts'
import { readTruth } from '../../examples/shop/truth/truth-files.ts'
import { contractProblems, type Analysis } from '../builders/analyze-contract.ts'

/**
 * Short recordings of real services, and what really happened in them. They are too short to say how good Tailspan is
 * (examples/shop/TRUTH.md does): they are here so that it never gets worse unnoticed. Never tune to them.
 */
const recordings = findRecordings([fileURLToPath(new URL('../fixtures/truth', import.meta.url))])

/** What holds today, less a margin (errors: at most): `npm run truth -- --no-write test/fixtures/truth`. Raise a floor when more is reached. */
const floors = {
  default: { localCause: 0.45, traceCause: 0.55, attributedOfCaused: 0.8, phaseErrorTail: 0.28, falseCertainty: 0.01 },
  waits: { localCause: 0.45, traceCause: 0.5, attributedOfCaused: 0.95, phaseErrorTail: 0.25, falseCertainty: 0.01 }
} as const
type Level = keyof typeof floors

interface Scored {
  readonly recording: Recording
  readonly problems: readonly string[]
  readonly tally: Tally
  /** `caller (language) > callee (language) component` */
  readonly edges: readonly string[]
}
const scored: Scored[] = []

beforeAll(async () => {
  for (const recording of recordings) {
    const spans = await readSpans(recording.traceFiles)
    const truth = readTruth(recording.truthFiles, spans.baseNs)
    const analysis = await analyzeRecording(recording)
    // Waiting between requests whose own spans were never sent is nobody's: such a trace has no root.
    const traces = analysis.traces.filter(({ root, requests }) => root !== null || requests.length > 0)
    scored.push({
      recording,
      problems: contractProblems({ ...analysis, traces } as unknown as Analysis),
      tally: score({ analysis, spans, truth }),
      edges: (analysis as unknown as Analysis).boundaries.map(
        ({ caller, callee, component }) =>
          `${caller.service} (${caller.language}) > ${callee.service} (${callee.language}) ${component}`
      )
    })
  }
}, 120_000)

const meanOf = (level: Level): Figures =>
  meanOverCauses(
    byCause(
      scored
        .filter(({ recording }) => recording.meta.level === level)
        .map(({ recording: { meta }, tally }) => ({ ...meta, tally }))
    )
  )

test('every recording has the edges of the shop, the one into a library of another language included', () => {
  for (const { edges } of scored) {
    expect(edges).toEqual(
      expect.arrayContaining([
        'gateway (go) > gateway (rust) marshalling',
        'gateway (go) > inventory (go) network',
        'gateway (go) > pricing (rust) network',
        'gateway (go) > shipping (go) queue'
      ])
    )
  }
})

test('phases, paths and blame of every recorded request add up exactly', () => {
  expect(scored.length).toBeGreaterThan(0)
  expect(scored.filter(({ problems }) => problems.length > 0)).toEqual([])
})

test('truth covers what is scored, adds up to the spans, and both walks of the critical path agree', () => {
  for (const { recording, tally } of scored) {
    const { requests, leftOut, exactTruths, otherTruths, samePaths, otherPaths } = tally
    const name = recordingName(recording)
    expect({ name, few: requests < 800, leftOut: leftOut > 0.01 * requests }).toEqual({
      name,
      few: false,
      leftOut: false
    })
    expect({ name, otherTruths: otherTruths > 0.01 * exactTruths }).toEqual({ name, otherTruths: false })
    expect({ name, otherPaths: otherPaths > 0.01 * samePaths }).toEqual({ name, otherPaths: false })
  }
})

test.each(['default', 'waits'] as const)('%s: no less is told rightly than before', (level) => {
  const { localCause, traceCause, attributedOfCaused, phaseErrorTail } = meanOf(level)
  const floor = floors[level]
  expect(localCause).toBeGreaterThanOrEqual(floor.localCause)
  expect(traceCause).toBeGreaterThanOrEqual(floor.traceCause)
  expect(attributedOfCaused).toBeGreaterThanOrEqual(floor.attributedOfCaused)
  expect(phaseErrorTail).toBeLessThanOrEqual(floor.phaseErrorTail)
})

test.each(['default', 'waits'] as const)('%s: measured is a promise', (level) => {
  expect(meanOf(level).falseCertainty).toBeLessThanOrEqual(floors[level].falseCertainty)
})
