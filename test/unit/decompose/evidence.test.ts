import { expect, test } from '@jest/globals'
import {
  createDecomposer,
  decomposeSection,
  decomposeSettings,
  type Decomposer,
  evidenceWants
} from '../../../src/decompose/index.ts'
import { GRADES, grades, Phase, PHASE_SLOTS, phases } from '../../../src/model/phases.ts'
import { Band } from '../../../src/model/requests.ts'
import { Evidence, SpanFlag } from '../../../src/model/spans.ts'
import { createWorld, type SpanOf, type World } from '../../builders/traces.ts'

const settings = decomposeSettings(decomposeSection.parse({}))
const options = { contextRows: 0, detail: true }
const counting = { contextRows: 0, detail: false }

/** Code of the want on an attribute key, an event name, or an event field. */
function code(wanted: string): number {
  const index = evidenceWants.findIndex((want) =>
    want?.from === 'attribute' ? want.key === wanted : want?.name === wanted || want?.field === wanted
  )
  if (index < 0) throw new Error(`nobody wants ${wanted}`)
  return Evidence.firstWanted + index
}

/** Phases above 0 as words: `{ 'queue_wait measured': 5 }`. */
function inWords(cells: Float64Array, first: number): Record<string, number> {
  const words: Record<string, number> = {}
  for (let slot = 0; slot < PHASE_SLOTS; slot++) {
    const ns = cells[first * PHASE_SLOTS + slot] as number
    const phase = phases[Math.floor(slot / GRADES)] as string
    if (ns > 0) words[phase === 'unattributed' ? phase : `${phase} ${grades[slot % GRADES] as string}`] = ns
  }
  return words
}

/** Phases of the first request. */
function phasesOf(spans: readonly SpanOf[], world = createWorld(), decomposer = createDecomposer(settings, world)) {
  return inWords(decomposer.decompose(world.trace(spans), counting).requests.phaseNs, 0)
}

const server = { id: 1, startNs: 0, endNs: 1000, kind: 'server' } as const

test('with nothing proved and nothing learned, own time is unattributed', () => {
  expect(phasesOf([server])).toEqual({ unattributed: 1000 })
})

test('a call without a peer is downstream, inferred; with a peer what the peer covers is measured and the rest is network', () => {
  const call = { id: 2, parent: 1, startNs: 100, endNs: 600, kind: 'client' } as const
  expect(phasesOf([server, call])).toEqual({ 'downstream inferred': 500, unattributed: 500 })
  const peer = { id: 3, parent: 2, startNs: 150, endNs: 500, kind: 'server', service: 'b' } as const
  expect(phasesOf([server, call, peer])).toEqual({
    'downstream measured': 350,
    'network inferred': 150,
    unattributed: 500
  })
})

test('wait spans are queue_wait, whatever their kind, and of overlapping children they come first', () => {
  const acquire = { id: 2, parent: 1, startNs: 0, endNs: 300, kind: 'client', name: 'pool.acquire' } as const
  expect(phasesOf([server, acquire])).toEqual({ 'queue_wait measured': 300, unattributed: 700 })
  const world = createWorld()
  const query = { id: 3, parent: 1, startNs: 200, endNs: 900, kind: 'client' } as const
  const d = createDecomposer(settings, world).decompose(world.trace([server, acquire, query]), options)
  expect(inWords(d.own.phaseNs, 0)).toEqual({
    'queue_wait measured': 300,
    'downstream inferred': 600,
    unattributed: 100
  })
})

test('getting a connection is a wait less what it took to make one', () => {
  expect(
    phasesOf([
      server,
      { id: 2, parent: 1, startNs: 0, endNs: 1000, kind: 'client' },
      { id: 3, parent: 2, startNs: 0, endNs: 400, kind: 'client', name: 'http.getconn' },
      { id: 4, parent: 3, startNs: 100, endNs: 150, kind: 'client', name: 'http.dns' },
      { id: 5, parent: 3, startNs: 150, endNs: 250, kind: 'client', name: 'http.connect' },
      { id: 6, parent: 2, startNs: 450, endNs: 950, kind: 'server', service: 'b' }
    ])
  ).toEqual({
    'queue_wait measured': 250,
    'network measured': 150,
    'network inferred': 100,
    'downstream measured': 500
  })
})

test('the same as events on the call', () => {
  const event = (name: string, atNs: number) => [code(name), atNs, 0] as const
  const evidence = [
    event('http.getconn.start', 0),
    event('http.connect.start', 100),
    event('http.connect.done', 250),
    event('http.getconn.done', 400)
  ]
  const spans: SpanOf[] = [server, { id: 2, parent: 1, startNs: 0, endNs: 1000, kind: 'client', evidence }]
  expect(phasesOf(spans)).toEqual({ 'queue_wait measured': 250, 'network measured': 150, 'downstream inferred': 600 })
})

test("Beyla's three spans are one request: the handler's body is that of the SERVER span, by its route", () => {
  const scope = 'go.opentelemetry.io/obi'
  const request = (route: string, handlerNs: number): SpanOf[] => [
    { id: 1, startNs: 0, endNs: 100_000 + handlerNs, kind: 'server', name: route, scope },
    { id: 2, parent: 1, startNs: 0, endNs: 100_000, name: 'in queue', scope },
    { id: 3, parent: 1, startNs: 100_000, endNs: 100_000 + handlerNs, name: 'processing', scope },
    { id: 4, parent: 3, startNs: 110_000, endNs: 150_000, kind: 'client', name: 'SELECT', scope }
  ]
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  for (let i = 0; i < 40; i++) {
    for (const [route, ns] of [
      ['GET /quick', 200_000],
      ['GET /slow', 5_000_000]
    ] as const) {
      decomposer.learn(decomposer.decompose(world.trace(request(route, ns)), options), Uint8Array.of(Band.leP50))
    }
  }
  decomposer.publish()
  const quick = phasesOf(request('GET /quick', 5_000_000), world, decomposer)
  expect(quick).toMatchObject({ 'queue_wait measured': 100_000, 'downstream inferred': 40_000 })
  expect(quick['unattributed']).toBeGreaterThan(4_500_000)
  const slow = phasesOf(request('GET /slow', 5_000_000), world, decomposer)
  expect(slow['processing inferred']).toBeGreaterThan(4_000_000)
  // A span of that name which someone made by hand is an ordinary child.
  const own = request('GET /slow', 5_000_000).map((span) => ({ ...span, scope: 'shop/checkout' }))
  expect(phasesOf(own, world, decomposer)['processing inferred'] ?? 0).toBeLessThan(100_000)
})

test("kotel's receive span is a queue and never a request; another library's is a request", () => {
  const produce = { id: 1, startNs: 0, endNs: 100, kind: 'producer', service: 'p' } as const
  const receive = { id: 2, parent: 1, startNs: 150, endNs: 400, kind: 'consumer', name: 'orders receive' } as const
  const process = { id: 3, parent: 2, startNs: 420, endNs: 900, kind: 'consumer', name: 'orders process' } as const
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  const requests = (scope: string) => {
    const d = decomposer.decompose(world.trace([produce, { ...receive, scope }, process]), options)
    return Array.from({ length: d.requests.n }, (_, i) => [d.requests.span[i], d.requests.leadNs[i]])
  }
  expect(requests('github.com/twmb/franz-go/plugin/kotel')).toEqual([
    [0, 0],
    [2, 320]
  ])
  expect(requests('other')).toEqual([
    [0, 0],
    [1, 50],
    [2, 0]
  ])
})

test('a stamp says how long a request waited before it began; what the clock cannot prove is not claimed', () => {
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  const startNs = 0x17979cfe * 2 ** 32 + 0x362a0000
  const lead = (wanted: string, a: number, b = 0): number | undefined => {
    const spans: SpanOf[] = [{ ...server, evidence: [[code(wanted), a, b]] }]
    return decomposer.decompose(world.trace(spans), counting).requests.leadNs[0]
  }
  expect(lead('http.server.request.time_in_queue', 12.5)).toBe(12_500_000)
  expect(lead('http.request.header.x-request-start', startNs - 3e9, 1)).toBe(3e9)
  expect(lead('http.request.header.x-request-start', startNs - 3e9, 1e6)).toBe(2_999_000_000)
  // Whole seconds: somewhere in the second before.
  expect(lead('messaging.servicebus.message.enqueued_time', startNs - 3e9, 1e9)).toBe(2e9)
  expect(lead('messaging.servicebus.message.enqueued_time', startNs - 0.5e9, 1e9)).toBe(0)
  // The proxy's clock is ahead a little, which is nothing; by an hour, which cannot be; a year ago neither.
  expect(lead('http.request.header.x-request-start', startNs + 0.2e9, 1)).toBe(0)
  expect(decomposer.counters.samples().filter(({ value }) => value > 0)).toEqual([])
  expect(lead('http.request.header.x-request-start', startNs + 3600e9, 1)).toBe(0)
  expect(lead('http.request.header.x-request-start', startNs - 365 * 86_400e9, 1)).toBe(0)
  expect(lead('http.server.request.time_in_queue', -5)).toBe(0)
  expect(decomposer.counters.samples().filter(({ value }) => value > 0)).toMatchObject([
    { name: 'tail_evidence_implausible_total', labelValue: 'enqueue_stamps', value: 3 }
  ])
})

test('where spans show the wait, a stamp adds nothing', () => {
  const world = createWorld()
  const spans: SpanOf[] = [
    { id: 1, startNs: 0, endNs: 100, kind: 'producer', service: 'p' },
    {
      id: 2,
      startNs: 700,
      endNs: 900,
      kind: 'consumer',
      linkTo: 1,
      evidence: [[code('kafka.record.queue_time_ms'), 5, 0]]
    }
  ]
  const d = createDecomposer(settings, world).decompose(world.trace(spans), options)
  expect([...d.requests.leadNs.subarray(0, 2)]).toEqual([0, 600])
})

test('a link to the producer gives the lead, too', () => {
  const world = createWorld()
  const spans: SpanOf[] = [
    { id: 1, startNs: 0, endNs: 100, kind: 'producer', service: 'p' },
    { id: 2, startNs: 700, endNs: 900, kind: 'consumer', linkTo: 1 }
  ]
  const d = createDecomposer(settings, world).decompose(world.trace(spans), options)
  expect([...d.requests.leadNs.subarray(0, 2)]).toEqual([0, 600])
})

test('tailspan.* attributes book exactly what they say; more than there is is clipped and counted', () => {
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  const saying = (...evidence: [string, number][]): SpanOf[] => [
    { ...server, evidence: evidence.map(([key, ns]) => [code(key), ns, 0] as const) }
  ]
  const spans = saying(['tailspan.gc_ns', 120], ['tailspan.queue_wait_ns', 300])
  expect(phasesOf(spans, world, decomposer)).toEqual({
    'gc measured': 120,
    'queue_wait measured': 300,
    unattributed: 580
  })
  expect(decomposer.counters.get('tail_evidence_conflicts_total')).toBe(0)
  expect(phasesOf(saying(['tailspan.processing_ns', 1500]), world, decomposer)).toEqual({ 'processing measured': 1000 })
  expect(phasesOf(saying(['tailspan.allocator_ns', -5]), world, decomposer)).toEqual({ unattributed: 1000 })
  expect(decomposer.counters.get('tail_evidence_conflicts_total')).toBe(1)
  expect(decomposer.counters.get('tail_evidence_implausible_total')).toBe(1)
})

test('no other evidence adds to a phase that tailspan.* attributes tell all of, be it placed or the wait span itself', () => {
  const queued = [code('tailspan.queue_wait_ns'), 40, 0] as const
  const acquired = [code('Delayed LB pick complete'), 900, 0] as const
  expect(phasesOf([{ ...server, evidence: [queued, acquired] }])).toEqual({
    'queue_wait measured': 40,
    unattributed: 960
  })
  const acquire = { id: 2, parent: 1, startNs: 0, endNs: 1000, name: 'pool.acquire' } as const
  const woken = [code('tailspan.scheduling_ns'), 950, 0] as const
  expect(phasesOf([server, { ...acquire, evidence: [queued, woken] }])).toEqual({
    'queue_wait measured': 40,
    'scheduling measured': 950,
    unattributed: 10
  })
})

test('tailspan.blocked_ns says that the rest was none of the phases that the process knows of', () => {
  const inferred = [Evidence.inferred + Phase.scheduling, 0, 1000] as const
  const some = [code('tailspan.processing_ns'), 300, 0] as const
  const blocked = [code('tailspan.blocked_ns'), 700, 0] as const
  expect(phasesOf([{ ...server, evidence: [inferred, some] }])).toEqual({
    'processing measured': 300,
    'scheduling inferred': 700
  })
  expect(phasesOf([{ ...server, evidence: [inferred, some, blocked] }])).toEqual({
    'processing measured': 300,
    unattributed: 700
  })
  // What it had no time for may have been scheduling: inference says how much of it was.
  const late = [Evidence.inferred + Phase.scheduling, 0, 200] as const
  const unwatched = [code('tailspan.unwatched_ns'), 200, 0] as const
  expect(phasesOf([{ ...server, evidence: [late, some, blocked, unwatched] }])).toEqual({
    'processing measured': 300,
    'scheduling inferred': 200,
    unattributed: 500
  })
})

test('what a call ran for is part of what the call cost', () => {
  const busy = [code('busy_ns'), 300, 0] as const
  const idle = [code('idle_ns'), 700, 0] as const
  const call = { id: 2, parent: 1, startNs: 0, endNs: 1000, kind: 'client', evidence: [busy, idle] } as const
  expect(phasesOf([server, call])).toEqual({ 'downstream inferred': 1000 })
})

test('an amount that a wrong unit made a thousand times too long claims nothing and is counted apart', () => {
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  const long = { ...server, endNs: 1_000_000 }
  const saying = (wanted: string, a: number, b = 0): SpanOf[] => [{ ...long, evidence: [[code(wanted), a, b]] }]
  expect(phasesOf(saying('tailspan.gc_ns', 600_000_000), world, decomposer)).toEqual({ unattributed: 1_000_000 })
  expect(phasesOf(saying('aquired_after_secs', 900_000, 3), world, decomposer)).toEqual({ unattributed: 1_000_000 })
  const bySource = decomposer.counters.samples().filter(({ name, value }) => name.includes('implausible') && value > 0)
  expect(bySource.map(({ labelValue, value }) => [labelValue, value])).toEqual([
    ['tailspan_attributes', 1],
    ['wait_events', 1]
  ])
})

test('busy time less that of children polled inside is processing; idle time is not, whatever the body', () => {
  const poll = (busy: number, idle: number) =>
    [
      [code('busy_ns'), busy, 0],
      [code('idle_ns'), idle, 0]
    ] as const
  const outer = { ...server, endNs: 1_000_000, evidence: poll(400_000, 600_000) }
  const inner = { id: 2, parent: 1, startNs: 100, endNs: 500_100, evidence: poll(300_000, 200_000) }
  expect(phasesOf([outer, inner])).toEqual({ 'processing inferred': 400_000, unattributed: 600_000 })
})

test('busy and idle that do not fill the span claim nothing and are a conflict', () => {
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  const evidence = [
    [code('busy_ns'), 5_000_000, 0],
    [code('idle_ns'), 900_000, 0]
  ] as const
  expect(phasesOf([{ ...server, endNs: 1_000_000, evidence }], world, decomposer)).toEqual({ unattributed: 1_000_000 })
  expect(decomposer.counters.samples().map(({ labelValue, value }) => [labelValue, value])).toContainEqual([
    'busy_idle',
    1
  ])
})

test('busy time that the attribute limit cut off is unknown, not zero: of the span itself and of a child', () => {
  const world = createWorld()
  const decomposer = taught(world, 1_000_000)
  decomposer.publish()
  const poll = [
    [code('busy_ns'), 400_000, 0],
    [code('idle_ns'), 600_000, 0]
  ] as const
  const long = { ...server, endNs: 1_000_000 }
  const cutOff = { ...long, flags: SpanFlag.droppedAttributes, evidence: [[code('idle_ns'), 600_000, 0]] } as const
  const byBody = phasesOf([long], world, decomposer)
  expect(phasesOf([cutOff], world, decomposer)).toEqual(byBody)
  const child = { id: 2, parent: 1, startNs: 100, endNs: 500_100 }
  expect(phasesOf([{ ...long, evidence: poll }, child], world, decomposer)['processing inferred']).toBe(400_000)
  const dropped = phasesOf(
    [
      { ...long, evidence: poll },
      { ...child, flags: SpanFlag.droppedAttributes }
    ],
    world,
    decomposer
  )
  expect(dropped['processing inferred']).toBeUndefined()
})

test('a child with more polls than its parent is a task of its own: a conflict, and nothing is said of the parent', () => {
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  const poll = (busy: number, idle: number) =>
    [
      [code('busy_ns'), busy, 0],
      [code('idle_ns'), idle, 0]
    ] as const
  const outer = { ...server, endNs: 1_000_000, evidence: poll(200_000, 800_000) }
  const inner = { id: 2, parent: 1, startNs: 100, endNs: 500_100, evidence: poll(450_000, 50_000) }
  expect(phasesOf([outer, inner], world, decomposer)).toEqual({ 'processing inferred': 450_000, unattributed: 550_000 })
  expect(decomposer.counters.samples().map(({ labelValue, value }) => [labelValue, value])).toContainEqual([
    'busy_idle',
    1
  ])
})

test('events that end a wait place it: sqlx by its seconds, gRPC and tower from the start', () => {
  const at = (wanted: string, atNs: number, field = 0): SpanOf => ({
    ...server,
    evidence: [[code(wanted), atNs, field]]
  })
  expect(phasesOf([at('aquired_after_secs', 700, 300e-9)])).toEqual({ 'queue_wait inferred': 300, unattributed: 700 })
  expect(phasesOf([at('Delayed LB pick complete', 250)])).toEqual({ 'queue_wait measured': 250, unattributed: 750 })
  expect(phasesOf([at('Delayed LB pick complete.', 250)])).toEqual({ 'queue_wait measured': 250, unattributed: 750 })
  expect(phasesOf([at('Delayed name resolution complete', 40)])).toEqual({ 'network measured': 40, unattributed: 960 })
  expect(phasesOf([at('processing request', 100)])).toEqual({ 'queue_wait measured': 100, unattributed: 900 })
  expect(phasesOf([at('elapsed_secs', 900, 500e-9)])).toEqual({ 'downstream inferred': 500, unattributed: 500 })
})

function taught(world: World, durationNs: number): Decomposer {
  const decomposer = createDecomposer(settings, world)
  for (let i = 0; i < 40; i++) {
    const d = decomposer.decompose(world.trace([{ ...server, endNs: durationNs }]), options)
    decomposer.learn(d, Uint8Array.of(Band.leP50))
  }
  return decomposer
}

test("own time is processing up to the operation's body, and above it unattributed; only once published", () => {
  const world = createWorld()
  const decomposer = taught(world, 1_000_000)
  expect(phasesOf([{ ...server, endNs: 3_000_000 }], world, decomposer)).toEqual({ unattributed: 3_000_000 })
  decomposer.publish()
  const slow = phasesOf([{ ...server, endNs: 3_000_000 }], world, decomposer)
  expect(slow['processing inferred']).toBeGreaterThan(850_000)
  expect(slow['processing inferred']).toBeLessThan(1_150_000)
  expect((slow['processing inferred'] ?? 0) + (slow['unattributed'] ?? 0)).toBe(3_000_000)
})

test('what was learned goes through its dump unchanged', () => {
  const world = createWorld()
  const decomposer = taught(world, 1_000_000)
  decomposer.publish()
  const other = createWorld()
  const loaded = createDecomposer(settings, other)
  loaded.load(JSON.parse(JSON.stringify(decomposer.learned())))
  const slow: SpanOf[] = [{ ...server, endNs: 3_000_000 }]
  expect(phasesOf(slow, other, loaded)).toEqual(phasesOf(slow, world, decomposer))
  expect(() => {
    loaded.load({ schema: 'tailspan.learned.decompose/1', bodies: [['a']], edges: [], clocks: [] })
  }).toThrow('bodies[0]: expected a string')
})

test('a call that is usually answered and now is not: blame does not guess, and the request is partial', () => {
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  const call = { id: 2, parent: 1, startNs: 100, endNs: 600, kind: 'client', name: 'call b' } as const
  const peer = { id: 3, parent: 2, startNs: 150, endNs: 500, kind: 'server', service: 'b' } as const
  for (let i = 0; i < 250; i++) {
    decomposer.learn(decomposer.decompose(world.trace([server, call, peer]), options), Uint8Array.of(0, 0))
  }
  decomposer.publish()
  const d = decomposer.decompose(world.trace([server, call]), options)
  expect(d.requests.partial[0]).toBe(1)
  expect(inWords(d.requests.phaseNs, 0)['downstream inferred']).toBe(500)
  const blamed = Array.from({ length: d.blame.n }, (_, i) => [phases[d.blame.phase[i] as number], d.blame.ns[i]])
  expect(blamed).toContainEqual(['unattributed', 500])
  expect(blamed.some(([phase]) => phase === 'downstream')).toBe(false)
})

test('a clock that runs ahead is found from many calls and taken out before the cut', () => {
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  const call = { id: 2, parent: 1, startNs: 100_000, endNs: 600_000, kind: 'client', host: 'h1' } as const
  const ahead = (skewNs: number, waitNs: number): SpanOf[] => [
    { ...server, endNs: 1_000_000, host: 'h1' },
    call,
    {
      id: 3,
      parent: 2,
      startNs: 120_000 + waitNs + skewNs,
      endNs: 580_000 + skewNs,
      kind: 'server',
      service: 'b',
      host: 'h2'
    }
  ]
  for (let i = 0; i < 64; i++) {
    const d = decomposer.decompose(world.trace(ahead(5_000_000, (i % 8) * 1000)), options)
    decomposer.learn(d, Uint8Array.of(0, 0))
  }
  expect(phasesOf(ahead(5_000_000, 0), world, decomposer)['network inferred']).toBe(500_000)
  decomposer.publish()
  expect(decomposer.clockOffsets()[0]?.seconds).toBeCloseTo(0.005, 5)
  expect(phasesOf(ahead(5_000_000, 0), world, decomposer)['downstream measured']).toBeGreaterThan(450_000)
})

test('clocks that agree are left alone, and so is a name with several clocks behind it', () => {
  for (const skewNs of [() => 0, (i: number) => (i % 2) * 40_000_000]) {
    const world = createWorld()
    const decomposer = createDecomposer(settings, world)
    for (let i = 0; i < 64; i++) {
      const spans: SpanOf[] = [
        { id: 1, startNs: 0, endNs: 1_000_000, kind: 'client', host: 'h1' },
        {
          id: 2,
          parent: 1,
          startNs: 900_000 + skewNs(i),
          endNs: 950_000 + skewNs(i),
          kind: 'server',
          service: 'b',
          host: 'h2'
        }
      ]
      decomposer.learn(decomposer.decompose(world.trace(spans), options), Uint8Array.of(0, 0))
    }
    decomposer.publish()
    expect(decomposer.clockOffsets()[0]?.seconds).toBe(0)
  }
})

test('a sampling threshold gives whole weights that are right on average, and a tail mark gives none', () => {
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  const spans: SpanOf[] = [{ ...server, evidence: [[Evidence.samplingThreshold, 0.6, 0]] }]
  let sum = 0
  for (let i = 0; i < 1000; i++) {
    const trace = world.trace(spans)
    trace.traceId[0] = Math.floor((i / 1000) * 2 ** 32)
    const weight = decomposer.decompose(trace, options).requests.weight[0] as number
    expect(Number.isInteger(weight)).toBe(true)
    sum += weight
  }
  expect(sum / 1000).toBeCloseTo(2.5, 2)
  const tail = decomposer.decompose(world.trace([{ ...server, flags: SpanFlag.tailSampled }]), options)
  expect([tail.requests.weight[0], tail.requests.sampling[0]]).toEqual([1, 2])
})

test('a request stretched by children off the path books their time as theirs', () => {
  // b and c overlap; the path takes c, and of b what c leaves is a call, not the parent's code.
  expect(
    phasesOf([
      server,
      { id: 2, parent: 1, startNs: 100, endNs: 500, kind: 'client' },
      { id: 3, parent: 1, startNs: 300, endNs: 900, kind: 'client' }
    ])
  ).toEqual({ 'downstream inferred': 800, unattributed: 200 })
})

test('what is placed takes no more than amounts have left of a piece', () => {
  const evidence = [
    [code('tailspan.queue_wait_ns'), 900, 0],
    [code('elapsed_secs'), 1000, 1e-6]
  ] as const
  expect(phasesOf([{ ...server, evidence }])).toEqual({ 'queue_wait measured': 900, 'downstream inferred': 100 })
})
