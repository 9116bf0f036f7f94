import { expect, test } from '@jest/globals'
import { createRetainedTraces, type KeptTrace, type RetainedTraces } from '../../../src/explain/retained-traces.ts'
import { Phase } from '../../../src/model/phases.ts'
import { Band } from '../../../src/model/requests.ts'
import { decompositionOf, traceColumns } from '../../builders/decompositions.ts'
import { MINUTE_MS, random, START_MS } from './explainers.ts'

interface Rig {
  readonly retained: RetainedTraces
  readonly evicted: string[]
  /** Offers a request as the explainer does; whether its trace was kept for it. */
  readonly offer: (offer: Offer) => boolean
}

interface Offer {
  readonly traceId: number
  readonly row?: number
  readonly durationNs?: number
  readonly band?: number
  readonly phase?: number
  readonly spans?: number
  readonly nowMs?: number
}

function rig(given: { retainedBytesMax?: number; retainedTraceBytesMax?: number } = {}): Rig {
  const evicted: string[] = []
  const retained = createRetainedTraces({
    retainedBytesMax: 1 << 20,
    retainedTraceBytesMax: 1 << 16,
    windowMs: 10 * MINUTE_MS,
    onEvicted: (kept: KeptTrace) => void evicted.push(kept.id),
    ...given
  })
  return {
    retained,
    evicted,
    offer({ traceId, row = 1, durationNs = 1e6, band = Band.gtP99, phase = Phase.gc, spans = 1, nowMs = START_MS }) {
      const decomposition = decompositionOf({ traceId, spans, requests: [{ durationNs }] })
      const candidate = { row, request: 0, band, dominantPhase: phase }
      return (
        retained.wants(decomposition, candidate, nowMs) && retained.keep(decomposition, candidate, nowMs) !== undefined
      )
    }
  }
}

const idOf = (traceId: number): string => `abcdef010000000200000003${traceId.toString(16).padStart(8, '0')}`

test('the slowest four of each dominant phase stay, slowest first', () => {
  const { retained, offer } = rig()
  for (let traceId = 1; traceId <= 50; traceId++) {
    offer({
      traceId,
      durationNs: 1e6 + ((traceId * 37) % 50) * 1e3,
      phase: traceId % 2 === 0 ? Phase.gc : Phase.network
    })
  }
  const of = (phase: number): number[] =>
    retained.of(1).flatMap((kept) => (kept.dominantPhase === phase ? [(kept.durationNs - 1e6) / 1e3] : []))
  expect(of(Phase.gc)).toEqual([48, 46, 44, 42])
  expect(of(Phase.network)).toEqual([49, 47, 45, 43])
})

test('a rare cause keeps its example beside a thousand slower ones of another', () => {
  const { retained, offer } = rig()
  offer({ traceId: 1, phase: Phase.allocator })
  for (let traceId = 2; traceId < 1_000; traceId++) offer({ traceId, durationNs: 1e9 + traceId })
  expect(retained.of(1).map(({ traceId }) => traceId)).toContain(idOf(1))
})

test('after the window any new one of the tail replaces an old one', () => {
  const { retained, offer } = rig()
  for (let traceId = 1; traceId <= 4; traceId++) offer({ traceId, durationNs: 9e9 })
  expect(offer({ traceId: 5, nowMs: START_MS + 9 * MINUTE_MS })).toBe(false)
  expect(offer({ traceId: 5, nowMs: START_MS + 10 * MINUTE_MS })).toBe(true)
  expect(retained.of(1)).toHaveLength(4)
})

test('a usual request is kept twice per band and window', () => {
  const { offer } = rig()
  const kept = [1, 2, 3].map((traceId) => offer({ traceId, band: Band.leP50, durationNs: traceId }))
  expect(kept).toEqual([true, true, false])
  expect(offer({ traceId: 9, band: Band.p50P95 })).toBe(true)
})

test('a trace that several operations want is held once and goes with the last of them', () => {
  const { retained, evicted, offer } = rig()
  offer({ traceId: 1, row: 1 })
  const bytes = retained.bytes()
  offer({ traceId: 1, row: 2 })
  expect(retained.bytes()).toBe(bytes)
  retained.dropRow(1)
  expect(retained.get(idOf(1))).toBeDefined()
  retained.dropRow(2)
  expect([retained.get(idOf(1)), retained.bytes(), evicted]).toEqual([undefined, 0, [idOf(1)]])
})

test('two requests of one operation in one trace are one example, the slower', () => {
  const { retained, offer } = rig()
  for (const durationNs of [5e6, 9e6, 7e6]) offer({ traceId: 1, durationNs })
  expect(retained.of(1)).toMatchObject([{ traceId: idOf(1), durationNs: 9e6 }])
})

test('bytes never pass retained_bytes_max, and every operation keeps an example while there is room for one each', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const draw = random(seed)
    const { retained, offer } = rig({ retainedBytesMax: 40_000 })
    let most = 0
    for (let traceId = 1; traceId < 2_000; traceId++) {
      const row = 1 + Math.floor(draw() * 20)
      const spans = 1 + Math.floor(draw() * 8)
      const phase = Math.floor(draw() * 8)
      offer({ traceId, row, spans, phase, durationNs: Math.floor(draw() * 1e9), nowMs: START_MS + traceId * 1_000 })
      most = Math.max(most, retained.bytes())
    }
    expect({ seed, within: most <= 40_000 }).toEqual({ seed, within: true })
    const bare = Array.from({ length: 20 }, (_, i) => i + 1).filter((row) => retained.of(row).length === 0)
    expect({ seed, bare }).toEqual({ seed, bare: [] })
  }
})

test('a trace above its own bound is not kept', () => {
  const { retained, offer } = rig({ retainedTraceBytesMax: 2_000 })
  expect(offer({ traceId: 1, spans: 100 })).toBe(false)
  expect(retained.bytes()).toBe(0)
})

test('late spans join a kept trace until it is over its bytes, and no other', () => {
  const { retained, offer } = rig({ retainedTraceBytesMax: 2_000 })
  offer({ traceId: 1, spans: 2 })
  const before = retained.bytes()
  expect(retained.late(traceColumns(1, 3))).toBe(true)
  expect(retained.get(idOf(1))?.n).toBe(5)
  expect(retained.bytes() - before).toBe(3 * (60 + 18))
  expect(retained.late(traceColumns(2, 1))).toBe(false)
  expect(retained.late(traceColumns(1, 50))).toBe(false)
  expect(retained.get(idOf(1))?.n).toBe(5)
})

test('late spans push out older traces, never the one they join', () => {
  const { retained, offer } = rig({ retainedBytesMax: 2_500 })
  for (let traceId = 1; traceId <= 4; traceId++) offer({ traceId, row: traceId, spans: 1 })
  expect(retained.late(traceColumns(1, 15))).toBe(true)
  expect(retained.get(idOf(1))?.n).toBe(16)
  expect(retained.bytes()).toBeLessThanOrEqual(2_500)
})

test('what a kept trace names is marked, evidence that may be a string included', () => {
  const { retained, offer } = rig()
  offer({ traceId: 1, spans: 3 })
  const marks = { strings: new Uint8Array(16), resources: new Uint8Array(4) }
  retained.mark(marks)
  const marked = (bytes: Uint8Array): number[] => [...bytes.keys()].filter((id) => bytes[id] === 1)
  expect(marked(marks.strings)).toEqual([0, 2, 4, 7, 8, 9])
  expect(marked(marks.resources)).toEqual([1])
})

test('when memory is short a cause with one example keeps it, beside those of a cause that floods', () => {
  const { retained, offer } = rig({ retainedBytesMax: 12_000 })
  offer({ traceId: 1, phase: Phase.network, durationNs: 2e6 })
  offer({ traceId: 2, band: Band.leP50 })
  for (let i = 0; i < 400; i++) {
    // Two operations whose gc examples alone fill it.
    offer({ traceId: 10 + i, row: 1 + (i % 2), durationNs: 5e6 + i * 1e3, spans: 20 })
    expect(retained.bytes()).toBeLessThanOrEqual(12_000)
  }
  const kept = retained.of(1).map(({ dominantPhase, band }) => (band === Band.leP50 ? 'usual' : dominantPhase))
  expect(kept).toContain(Phase.network)
  expect(kept).toContain('usual')
  expect(kept).toContain(Phase.gc)
  expect(retained.of(2).length).toBeGreaterThan(0)
})

test('relieved of bytes it gives up the longest kept first, no more than needed, and tells of each', () => {
  const { retained, evicted, offer } = rig()
  for (let row = 1; row <= 10; row++) offer({ traceId: row, row })
  const before = retained.bytes()
  retained.relieve(1)
  expect(evicted).toEqual([idOf(1)])
  retained.relieve(Math.ceil((before / 10) * 2.5))
  expect(evicted).toHaveLength(4)
  retained.relieve(Infinity)
  expect(retained.bytes()).toBe(0)
})
