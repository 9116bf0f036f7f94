import { expect, test } from '@jest/globals'
import { createAssembler } from '../../../src/assemble/index.ts'
import { Kind, type TraceColumns } from '../../../src/model/spans.ts'
import { batchOf, type DrawnSpan, resourcesOf } from '../../builders/batches.ts'
import { createRandom } from './random.ts'
import { settingsOf } from './story.ts'

const QUIET_MS = 8_000
const ROOT_WAIT_MS = 20_000
const AGE_MAX_MS = 40_000

/** More than any test fills; a fresh assembler for each seed is cheap then. */
const smallTables = { spansMax: 2_000, tracesMax: 500 }

interface Arrival {
  readonly nowMs: number
  readonly spans: readonly DrawnSpan[]
}

/** A trace handed on, as one line: why, when, and every column of every span. */
function describe(reason: number, atMs: number, spans: readonly string[]): string {
  return `${reason} at ${atMs}: ${spans.join(' | ')}`
}

function describeSpan(span: DrawnSpan): string {
  const { trace, id, parent = 0, start = 0, end = 0, kind = 0, name = 0, evidence = [] } = span
  return [trace, id, parent, start, end, kind, name, ...evidence.flat()].join(' ')
}

/** The rules in the plainest words: a map, and a look at every trace at every millisecond that matters. */
function assembleNaively(arrivals: readonly Arrival[]): string[] {
  const open = new Map<number, { bornMs: number; lastMs: number; rooted: boolean; spans: DrawnSpan[] }>()
  const handedOn: string[] = []
  for (const { nowMs, spans } of arrivals) {
    for (const [trace, { bornMs, lastMs, rooted, spans: held }] of open) {
      const quiet = rooted && nowMs - lastMs >= QUIET_MS
      const rootless = !rooted && nowMs - lastMs >= ROOT_WAIT_MS
      if (!quiet && !rootless && nowMs - bornMs < AGE_MAX_MS) continue
      open.delete(trace)
      handedOn.push(describe(quiet ? 0 : rootless ? 1 : 2, nowMs, held.map(describeSpan)))
    }
    for (const span of spans) {
      const held = open.get(span.trace) ?? { bornMs: nowMs, lastMs: nowMs, rooted: false, spans: [] }
      open.set(span.trace, held)
      held.lastMs = nowMs
      held.rooted ||= (span.parent ?? 0) === 0
      if (!held.spans.some(({ id }) => id === span.id)) held.spans.push(span)
    }
  }
  return handedOn
}

function assembleForReal(arrivals: readonly Arrival[], seed: number): string[] {
  const handedOn: string[] = []
  let clockMs = 0
  const random = createRandom(seed)
  const assembler = createAssembler(
    settingsOf({
      quietTimeMs: QUIET_MS,
      rootWaitMs: ROOT_WAIT_MS,
      ageMaxMs: AGE_MAX_MS,
      ...smallTables,
      lateWindowMs: 0,
      sliceSpans: 1 + random(40)
    }),
    { resources: resourcesOf(1), seed },
    {
      closed(trace) {
        handedOn.push(describe(trace.closedBy, clockMs, spansOf(trace)))
      },
      late: () => undefined
    }
  )
  for (const { nowMs, spans } of arrivals) {
    clockMs = nowMs
    while (assembler.due(nowMs)) assembler.tick(nowMs)
    assembler.consume(batchOf(spans), nowMs)
  }
  return handedOn
}

function spansOf(trace: TraceColumns): string[] {
  const base = Number((BigInt(trace.baseHi) << 32n) + BigInt(trace.baseLo) - 1_700_000_000_000_000_000n)
  return Array.from({ length: trace.n }, (_, row) => {
    const first = row === 0 ? 0 : (trace.evidenceEnd[row - 1] as number)
    const { code, a, b } = trace.evidence
    return describeSpan({
      trace: (trace.traceId[2] as number) * 2 ** 32 + (trace.traceId[3] as number),
      id: (trace.spanId[2 * row] as number) * 2 ** 32 + (trace.spanId[2 * row + 1] as number),
      parent: (trace.parentId[2 * row] as number) * 2 ** 32 + (trace.parentId[2 * row + 1] as number),
      start: base + (trace.startNs[row] as number),
      end: base + (trace.endNs[row] as number),
      kind: trace.kind[row] as number,
      name: trace.name[row] as number,
      evidence: Array.from({ length: (trace.evidenceEnd[row] as number) - first }, (_, i) => [
        code[first + i] as number,
        a[first + i] as number,
        b[first + i] as number
      ])
    })
  })
}

/** Few trace ids and few span ids, so that traces interleave, come back after closing, and hold duplicates. */
function drawArrivals(seed: number): Arrival[] {
  const random = createRandom(seed)
  let nowMs = 1_000_000
  return Array.from({ length: 36 }, (): Arrival => {
    nowMs += [0, 1, 900, 4_000, 9_000][random(5)] as number
    const spans = Array.from({ length: random(12) }, (): DrawnSpan => {
      const start = random(1_000_000)
      return {
        trace: 1 + random(12) * 2 ** 31,
        id: 1 + random(30) * 2 ** 30,
        parent: random(4) === 0 ? 0 : 1 + random(30),
        start,
        end: start + random(1_000),
        kind: Kind.internal,
        name: random(100),
        evidence: Array.from({ length: random(3) }, () => [16 + random(9), random(99), random(99)] as const)
      }
    })
    return { nowMs, spans }
  })
}

test('for 1,000 seeded loads, closing agrees with a plain map, span by span and column by column', () => {
  for (let seed = 1; seed <= 1_000; seed++) {
    const arrivals = drawArrivals(seed)
    const expected = assembleNaively(arrivals)
    const actual = assembleForReal(arrivals, seed)
    if (actual.slice().sort().join('\n') !== expected.slice().sort().join('\n')) {
      expect({ seed, handedOn: actual.sort() }).toEqual({ seed, handedOn: expected.sort() })
    }
  }
})

test('in whatever order and batches spans come, the same traces come out, as sets of spans', () => {
  const handOn = (spans: readonly DrawnSpan[], seed: number): string[] => {
    const random = createRandom(seed)
    const shuffled = spans.map((span) => ({ span, at: random(2 ** 30) })).sort((a, b) => a.at - b.at)
    const traces: string[] = []
    const assembler = createAssembler(
      settingsOf({ ...smallTables, sliceSpans: 64 }),
      { resources: resourcesOf(1), seed },
      { closed: (trace) => traces.push(spansOf(trace).sort().join('\n')), late: () => undefined }
    )
    let nowMs = 0
    for (let at = 0; at < shuffled.length; nowMs += random(150)) {
      const size = 1 + random(60)
      assembler.tick(nowMs)
      assembler.consume(batchOf(shuffled.slice(at, at + size).map(({ span }) => span)), nowMs)
      at += size
    }
    while (assembler.openTraces() > 0) assembler.tick((nowMs += 1_000))
    return traces.sort()
  }
  const random = createRandom(99)
  const spans = Array.from({ length: 400 }, (_, i): DrawnSpan => {
    const inTrace = i % 8
    return {
      trace: 1 + (i >> 3),
      id: 1 + inTrace,
      parent: inTrace === 0 ? 0 : 1 + random(inTrace),
      start: random(1e9),
      name: i
    }
  })
  const expected = handOn(spans, 0)
  expect(expected.length).toBe(50)
  for (let seed = 1; seed <= 100; seed++) {
    const traces = handOn(spans, seed)
    if (traces.join('\n\n') !== expected.join('\n\n')) expect({ seed, traces }).toEqual({ seed, traces: expected })
  }
})

test('with little room, no span is lost, doubled or put into another trace', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = createRandom(seed)
    const seen = new Map<string, number>()
    const see = (trace: TraceColumns, contextRows: number): void => {
      for (const span of spansOf(trace).slice(contextRows)) seen.set(span, (seen.get(span) ?? 0) + 1)
    }
    const assembler = createAssembler(
      settingsOf({ spansMax: 20 + random(200), tracesMax: 2 + random(20), sliceSpans: 1 + random(50) }),
      { resources: resourcesOf(1), seed },
      {
        closed: see,
        late(trace) {
          see(trace, 0)
          return false
        }
      }
    )
    const sent: string[] = []
    let nowMs = 0
    for (let batch = 0; batch < 40; batch++) {
      const spans = Array.from({ length: random(30) }, (_, i): DrawnSpan => ({
        trace: random(30),
        id: 1 + batch * 100 + i,
        parent: random(200),
        start: random(1e6),
        end: 1e6,
        kind: random(6),
        name: random(50),
        evidence: Array.from({ length: random(3) }, () => [16, random(99), random(9)] as const)
      }))
      sent.push(...spans.map(describeSpan))
      assembler.consume(batchOf(spans), (nowMs += random(5_000)))
      if (random(2) === 0) assembler.tick(nowMs)
      if (random(9) === 0) assembler.relieve(random(9_000), nowMs)
    }
    assembler.shutdown(nowMs)
    expect([seed, assembler.openSpans(), assembler.openTraces(), assembler.memory()['evidence']]).toEqual([
      seed,
      0,
      0,
      0
    ])
    const spans = [...seen.keys()].sort()
    if (spans.join('\n') !== sent.sort().join('\n')) expect({ seed, spans }).toEqual({ seed, spans: sent })
    expect([seed, Math.max(...seen.values())]).toEqual([seed, 1])
  }
})
