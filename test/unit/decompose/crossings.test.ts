import { expect, test } from '@jest/globals'
import { createDecomposer, decomposeSection, decomposeSettings, evidenceWants } from '../../../src/decompose/index.ts'
import { inferredCalleeCode } from '../../../src/decompose/judge/inference/inferred-rows.ts'
import { BOUNDARY_COMPONENTS, boundaryComponents } from '../../../src/model/boundaries.ts'
import { type Decomposition } from '../../../src/model/decomposition.ts'
import { Phase } from '../../../src/model/phases.ts'
import { Evidence } from '../../../src/model/spans.ts'
import { createWorld, type SpanOf } from '../../builders/traces.ts'

const settings = decomposeSettings(decomposeSection.parse({}))

function code(key: string): number {
  return Evidence.firstWanted + evidenceWants.findIndex((want) => want?.from === 'attribute' && want.key === key)
}

/** `2>3 for 1: network 40, queue 7` for each crossing, by the spans' ids: caller, callee, and the request that pays. */
function inWords({ trace, crossings, requests }: Decomposition): string[] {
  const idOf = (row: number | undefined): number => trace.spanId[2 * (row ?? -1) + 1] ?? -1
  return Array.from({ length: crossings.n }, (_, i) => {
    const told = boundaryComponents.flatMap((name, component) => {
      const ns = crossings.ns[i * BOUNDARY_COMPONENTS + component] ?? NaN
      return Number.isNaN(ns) ? [] : [`${name} ${ns}`]
    })
    const payer = requests.span[crossings.request[i] ?? -1]
    return `${idOf(crossings.caller[i])}>${idOf(crossings.callee[i])} for ${idOf(payer)}: ${told.join(', ')}`
  })
}

function crossingsOf(spans: readonly SpanOf[], contextRows = 0): string[] {
  const world = createWorld()
  return inWords(createDecomposer(settings, world).decompose(world.trace(spans), { contextRows, detail: false }))
}

const server = { id: 1, startNs: 0, endNs: 1000, kind: 'server', language: 'go' } as const
const call = { id: 2, parent: 1, startNs: 100, endNs: 900, kind: 'client', language: 'go' } as const
const peer = { id: 3, parent: 2, startNs: 200, endNs: 800, kind: 'server', service: 'b', language: 'rust' } as const

test('a call costs the network what the callee does not cover, and its queue what it waited for a turn there', () => {
  const acquire = { id: 4, parent: 3, startNs: 250, endNs: 300, name: 'pool.acquire', service: 'b' } as const
  expect(crossingsOf([server, call, peer])).toEqual(['2>3 for 1: network 200, queue 0'])
  expect(crossingsOf([server, call, peer, acquire])).toEqual(['2>3 for 1: network 200, queue 50'])
})

test('waiting for a connection is queue and not network', () => {
  const getconn = { id: 4, parent: 2, startNs: 100, endNs: 180, name: 'http.getconn' } as const
  expect(crossingsOf([server, call, getconn, peer])).toEqual(['2>3 for 1: network 120, queue 80'])
})

test('what inference found to be the lateness of the callee is not the network', () => {
  const late = (phase: number) => ({ ...call, evidence: [[inferredCalleeCode(phase), 0, 70]] as const })
  expect(crossingsOf([server, late(Phase.scheduling), peer])).toEqual(['2>3 for 1: network 130, queue 0'])
  expect(crossingsOf([server, late(Phase.queueWait), peer])).toEqual(['2>3 for 1: network 130, queue 70'])
})

test('several spans that answer one call make one crossing, and cover it once where they overlap', () => {
  const others = [
    { ...peer, id: 4, startNs: 150, endNs: 500 },
    { ...peer, id: 5, startNs: 820, endNs: 850 }
  ]
  expect(crossingsOf([server, call, peer, ...others])).toEqual(['2>5 for 1: network 120, queue 0'])
})

test('without a span of the call nothing says what the network took', () => {
  const inner = { ...call, kind: 'internal' } as const
  expect(crossingsOf([server, inner, peer])).toEqual(['2>3 for 1: queue 0'])
})

test('a message waits for its consumer, who pays; past a wait span, by link, or when it comes later', () => {
  const producer = { ...call, kind: 'producer', endNs: 150 } as const
  const consumer = { id: 3, parent: 2, startNs: 950, endNs: 990, kind: 'consumer', service: 'b' } as const
  expect(crossingsOf([server, producer, consumer])).toEqual(['2>3 for 3: queue 800'])
  const linked = { ...consumer, parent: 1, linkTo: 2 } as const
  expect(crossingsOf([server, producer, linked])).toEqual(['2>3 for 3: queue 800'])
  expect(crossingsOf([server, producer, consumer], 2)).toEqual(['2>3 for 3: queue 800'])
  const receive = { ...consumer, id: 4, startNs: 850, endNs: 950, name: 'orders receive', scope: KOTEL } as const
  expect(crossingsOf([server, producer, receive, { ...consumer, parent: 4 }])).toEqual(['2>3 for 3: queue 800'])
})
const KOTEL = 'github.com/twmb/franz-go/plugin/kotel'

// As the shop's gateway calls its tax library: two SDKs in one process, INTERNAL spans in both.
const tax = { id: 2, parent: 1, startNs: 100, endNs: 400, language: 'go' } as const
const compute = { id: 3, parent: 2, startNs: 250, endNs: 350, language: 'rust' } as const

test('a call into another language of the same process costs marshalling, what the other does not cover of it', () => {
  expect(crossingsOf([server, tax, compute])).toEqual(['2>3 for 1: marshalling 200, queue 0'])
  const twice = { ...compute, id: 4, startNs: 360, endNs: 390 }
  expect(crossingsOf([server, tax, compute, twice])).toEqual(['2>4 for 1: marshalling 170, queue 0'])
})

test('what the other language waited for before it began is queue, once, whoever tells of it', () => {
  const lock = { id: 4, parent: 3, startNs: 250, endNs: 280, name: 'queue_wait', language: 'rust' } as const
  expect(crossingsOf([server, tax, compute, lock])).toEqual(['2>3 for 1: marshalling 200, queue 30'])
  const told = { ...compute, evidence: [[code('tailspan.queue_wait_ns'), 45, 0]] as const }
  expect(crossingsOf([server, tax, told])).toEqual(['2>3 for 1: marshalling 200, queue 45'])
})

test('of a span that does more than call, nobody knows what of it was the crossing', () => {
  expect(crossingsOf([server, { ...compute, parent: 1 }])).toEqual(['1>3 for 1: queue 0'])
  const own = { id: 4, parent: 2, startNs: 110, endNs: 200, language: 'go' } as const
  expect(crossingsOf([server, tax, own, compute])).toEqual(['2>3 for 1: queue 0'])
})

test('a library with a service name of its own is still in the process, when both say which process that is', () => {
  const named = { ...compute, service: 'tax', process: 'p' } as const
  const spans = [server, { ...tax, process: 'p' }, named] as const
  expect(crossingsOf(spans)).toEqual(['2>3 for 1: marshalling 200, queue 0'])
  expect(crossingsOf([server, tax, { ...named, process: 'other' }])).toEqual(['2>3 for 1: queue 0'])
})

test('spans of one language in one process are no crossing, and an unknown language is none of another', () => {
  expect(crossingsOf([server, tax, { ...compute, language: 'go' }])).toEqual([])
  expect(crossingsOf([server, tax, { ...compute, language: 'unknown' }])).toEqual([])
})

test('a span that calls another language many times and does one thing of its own is looked through once', () => {
  const own = { id: 4, parent: 2, startNs: 100, endNs: 101, language: 'go' } as const
  const calls = Array.from({ length: 60_000 }, (_, i) => ({
    ...compute,
    id: 10 + i,
    startNs: 110 + i,
    endNs: 111 + i,
    name: 'call'
  }))
  const found = crossingsOf([server, { ...tax, endNs: 90_000 }, own, ...calls])
  expect(found).toHaveLength(60_000)
  expect(found[0]).toBe('2>10 for 1: queue 0')
})

test('a giant in slices has the same crossings', () => {
  const spans: SpanOf[] = [server]
  for (let i = 0; i < 100; i++) {
    const [id, startNs] = [10 + 4 * i, 10 * i]
    spans.push(
      { ...call, id, startNs, endNs: startNs + 9 },
      { ...peer, id: id + 1, parent: id, startNs: startNs + 2, endNs: startNs + 8 }
    )
    spans.push(
      { ...tax, id: id + 2, startNs, endNs: startNs + 9 },
      { ...compute, id: id + 3, parent: id + 2, startNs, endNs: startNs + 4 }
    )
  }
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  const whole = inWords(decomposer.decompose(world.trace(spans), { contextRows: 0, detail: false }))
  const sliced = decomposer.decomposeSliced(world.trace(spans), { contextRows: 0, detail: false }, 7)
  let step = sliced.next()
  while (step.done !== true) step = sliced.next()
  expect(whole).toHaveLength(200)
  expect(inWords(step.value)).toEqual(whole)
})
