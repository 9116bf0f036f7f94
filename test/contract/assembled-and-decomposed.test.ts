import { expect, test } from '@jest/globals'
import { assembleSection, assembleSettings, createAssembler } from '../../src/assemble/index.ts'
import { createDecomposer, decomposeSection, decomposeSettings } from '../../src/decompose/index.ts'
import { PHASE_SLOTS } from '../../src/model/phases.ts'
import { batchOf, type DrawnSpan, resourcesOf } from '../builders/batches.ts'
import { createWorld } from '../builders/traces.ts'
import { wholeNumbers } from '../builders/whole-numbers.ts'

const MS = 1e6
const kinds = [1, 1, 2, 3, 3, 4, 5]

/** A trace over hosts whose clocks are off by up to 50 ms, with overlaps, gaps, children that outlive, and sometimes a lost span. */
function drawnTrace(trace: number, below: (n: number) => number): DrawnSpan[] {
  const skewNs = Array.from({ length: 4 }, () => (below(101) - 50) * MS)
  const n = 1 + below(14)
  const spans: DrawnSpan[] = [{ trace, id: 1, start: 1000 * MS, end: (1001 + below(300)) * MS, kind: 2, resource: 0 }]
  for (let id = 2; id <= n; id++) {
    const parent = spans[below(spans.length)] as Required<DrawnSpan>
    const resource = below(4)
    const lengthNs = parent.end - parent.start
    const start = parent.start + below(Math.max(1, lengthNs)) + (skewNs[resource] ?? 0) - (skewNs[parent.resource] ?? 0)
    const end = start + below(lengthNs + 1)
    spans.push({ trace, id, parent: parent.id, start, end, kind: kinds[below(kinds.length)] ?? 1, resource })
  }
  return below(5) === 0 ? spans.filter(({ id }) => id === 1 || id !== 1 + below(n)) : spans
}

test('10,000 traces, shuffled over batches with spans sent twice: every request adds up, none is counted twice', () => {
  const world = createWorld()
  const resources = resourcesOf(4)
  const decomposer = createDecomposer(decomposeSettings(decomposeSection.parse({})), { ...world, resources })
  let requests = 0
  let traces = 0
  const assembler = createAssembler(
    assembleSettings(assembleSection.parse({})),
    { resources, seed: 1 },
    {
      closed(trace, contextRows) {
        traces += 1
        const {
          requests: all,
          blame,
          rootRequest,
          ...rest
        } = decomposer.decompose(trace, { contextRows, detail: false })
        requests += all.n
        const root = all.durationNs[rootRequest] as number
        let blamedNs = 0
        for (let i = 0; i < blame.n; i++) blamedNs += blame.ns[i] as number
        if (blamedNs !== root)
          throw new Error(`blame adds up to ${blamedNs} of ${root} in trace ${rest.trace.traceId[3] ?? 0}`)
        for (let i = 0; i < all.n; i++) {
          let sumNs = 0
          for (let cell = i * PHASE_SLOTS; cell < (i + 1) * PHASE_SLOTS; cell++) sumNs += all.phaseNs[cell] as number
          if (sumNs !== all.durationNs[i])
            throw new Error(`request ${i} of trace ${rest.trace.traceId[3] ?? 0}: ${sumNs}`)
        }
        decomposer.learn(decomposer.decompose(trace, { contextRows, detail: false }), new Uint8Array(all.n))
        if (traces % 500 === 0) decomposer.publish()
      },
      late: () => undefined
    }
  )
  let expected = 0
  let nowMs = 1
  let twice = 0
  for (let block = 0; block < 100; block++) {
    const below = wholeNumbers(block + 1)
    const spans = Array.from({ length: 100 }, (_, i) => drawnTrace(1 + block * 100 + i, below)).flat()
    expected += requestsIn(spans)
    const again = spans.filter(() => below(10) === 0)
    twice += again.length
    const sent = [...spans, ...again].map((span) => ({ span, key: below(1e9) })).sort((a, b) => a.key - b.key)
    for (let at = 0; at < sent.length; at += 64) {
      assembler.consume(batchOf(sent.slice(at, at + 64).map(({ span }) => span)), (nowMs += 10))
      assembler.tick(nowMs)
    }
    nowMs += 90_000
    for (let i = 0; i < 5; i++) assembler.tick((nowMs += 1))
  }
  assembler.shutdown(nowMs)
  expect(traces).toBe(10_000)
  expect(requests).toBe(expected)
  expect(assembler.counters.get('tail_spans_duplicate_total')).toBe(twice)
})

/** Entry spans by the definition: SERVER or CONSUMER, no parent here, or a parent of another service. */
function requestsIn(spans: readonly DrawnSpan[]): number {
  const key = (trace: number, id: number): string => `${trace}/${id}`
  const byId = new Map(spans.map((span) => [key(span.trace, span.id), span]))
  return spans.filter((span) => {
    const parent = byId.get(key(span.trace, span.parent ?? 0))
    return span.kind === 2 || span.kind === 5 || parent === undefined || parent.resource !== span.resource
  }).length
}
