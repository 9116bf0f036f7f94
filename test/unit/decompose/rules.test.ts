import { describe, expect, test } from '@jest/globals'
import { createSpanDecoder, createResources, decoderLimits } from '../../../src/accept/otlp/index.ts'
import {
  createDecomposer,
  decomposeSection,
  decomposeSettings,
  describeRules,
  rulesSection
} from '../../../src/decompose/index.ts'
import { type Decomposition } from '../../../src/model/decomposition.ts'
import { Grade, GRADES, grades, Phase, PHASE_SLOTS, phases } from '../../../src/model/phases.ts'
import { Evidence } from '../../../src/model/spans.ts'
import { createRandom } from '../../builders/random.ts'
import { createWorld, type SpanOf } from '../../builders/traces.ts'
import { encodeTraces, int, text, toJson, type KeyValue } from '../accept/otlp/otlp-messages.ts'

const EPOCH_NS = 0x17979cfe * 2 ** 32 + 0x362a0000

/** A decomposer with rules as they are written in the settings file. */
function labOf(...written: object[]) {
  const world = createWorld()
  const settings = decomposeSettings(decomposeSection.parse({}), rulesSection.parse(written))
  const decomposer = createDecomposer(settings, world)
  /** Evidence rows of a span, by the name of an attribute, an event or a field. */
  const said = (wanted: string, a: number, b = 0): readonly [number, number, number] => {
    const index = decomposer
      .wants()
      .findLastIndex((want) =>
        want?.from === 'attribute'
          ? want.key === wanted && want.type === 'number'
          : want?.name === wanted || want?.field === wanted
      )
    if (index < 0) throw new Error(`nobody wants ${wanted}`)
    return [Evidence.firstWanted + index, a, b]
  }
  const saidText = (key: string, value: string): readonly [number, number, number] => {
    const index = decomposer
      .wants()
      .findLastIndex((want) => want?.from === 'attribute' && want.key === key && want.type === 'string')
    return [Evidence.firstWanted + index, world.strings.internText(value), 0]
  }
  function decompose(spans: readonly SpanOf[]) {
    const { requests } = decomposer.decompose(world.trace(spans), { contextRows: 0, detail: false })
    const first: Record<string, number> = {}
    for (let slot = 0; slot < PHASE_SLOTS; slot++) {
      const phase = phases[Math.floor(slot / GRADES)] as string
      const ns = requests.phaseNs[slot] as number
      if (ns > 0) first[phase === 'unattributed' ? phase : `${phase} ${grades[slot % GRADES] as string}`] = ns
    }
    return { phases: first, requests: requests.n, leadNs: requests.leadNs[0] }
  }
  const problems = (): (readonly [string, string | undefined, number])[] =>
    decomposer.counters
      .samples()
      .filter(({ value }) => value > 0)
      .map(({ name, labelValue, value }) => [name, labelValue, value] as const)
  return {
    decomposer,
    world,
    said,
    saidText,
    decompose,
    problems,
    phases: (...spans: SpanOf[]) => decompose(spans).phases
  }
}

const server = { id: 1, startNs: 0, endNs: 1_000_000, kind: 'server', name: 'GET /a', scope: 'web' } as const
const child = { id: 2, parent: 1, startNs: 100_000, endNs: 400_000, name: 'acquire db', scope: 'lib/pool' } as const

test.each([
  ['a text', 'acquire db', 300_000],
  ['a text that is another', 'acquire', 0],
  ['a prefix', { prefix: 'acq' }, 300_000],
  ['a glob', { glob: 'a*e d*' }, 300_000],
  ['a glob that is another', { glob: 'x*' }, 0],
  ['a regex', { regex: '^acquire (db|cache)$' }, 300_000],
  ['a regex that is another', { regex: '^db' }, 0]
])('a span is known by %s, and waits for as long as it lasts', (_, span, waitNs) => {
  const lab = labOf({ name: 'pool', span, phase: 'queue_wait' })
  expect(lab.phases(server, child)['queue_wait measured'] ?? 0).toBe(waitNs)
})

test('kind, scope and attribute narrow it down', () => {
  const lab = labOf({
    name: 'pool',
    kind: 'client',
    scope: { prefix: 'lib/' },
    attribute: { key: 'pool', value: { glob: 'db*' } },
    phase: 'queue_wait'
  })
  const fits = { ...child, kind: 'client', evidence: [lab.saidText('pool', 'db-1')] } as const
  expect(lab.phases(server, fits)['queue_wait measured']).toBe(300_000)
  for (const other of [
    { ...fits, kind: 'internal' as const },
    { ...fits, scope: 'app' },
    { ...fits, evidence: [lab.saidText('pool', 'cache')] },
    { ...fits, evidence: [] }
  ]) {
    expect(lab.phases(server, other)['queue_wait measured']).toBeUndefined()
  }
})

test('an attribute may only have to be there, or be a number', () => {
  const there = labOf({ name: 'pool', attribute: { key: 'pool.size' }, phase: 'queue_wait' })
  expect(there.phases(server, { ...child, evidence: [there.said('pool.size', 3)] })['queue_wait measured']).toBe(
    300_000
  )
  const three = labOf({ name: 'pool', attribute: { key: 'pool.size', value: '3' }, phase: 'queue_wait' })
  expect(three.phases(server, { ...child, evidence: [three.said('pool.size', 3)] })['queue_wait measured']).toBe(
    300_000
  )
  expect(
    three.phases(server, { ...child, evidence: [three.said('pool.size', 4)] })['queue_wait measured']
  ).toBeUndefined()
})

test.each([
  ['ns', 50_000],
  ['us', 50],
  ['ms', 0.05],
  ['s', 50e-6]
] as const)('an amount in %s is that much of the own time', (unit, value) => {
  const lab = labOf({ name: 'lock', field: 'lock.wait', unit, phase: 'queue_wait' })
  expect(lab.phases({ ...server, evidence: [lab.said('lock.wait', value)] })).toEqual({
    'queue_wait measured': 50_000,
    unattributed: 950_000
  })
})

test('an amount that ends with the span is placed there: what a child covers of it is not claimed twice', () => {
  const lab = labOf({
    name: 'flush',
    field: 'flush',
    unit: 'us',
    ends_at: 'span_end',
    phase: 'processing',
    grade: 'inferred'
  })
  const late = { ...child, startNs: 800_000, endNs: 900_000, kind: 'client' } as const
  expect(lab.phases({ ...server, evidence: [lab.said('flush', 300)] }, late)).toEqual({
    'processing inferred': 200_000,
    'downstream inferred': 100_000,
    unattributed: 700_000
  })
})

test('an event ends the wait: since the start of the span, or as long as its field says', () => {
  const since = labOf({ name: 'lock', event: { name: 'lock taken' }, phase: 'queue_wait' })
  expect(since.phases({ ...server, evidence: [since.said('lock taken', 250_000)] })['queue_wait measured']).toBe(
    250_000
  )
  const long = labOf({ name: 'lock', event: { name: 'lock taken' }, field: 'waited', unit: 'us', phase: 'queue_wait' })
  expect(long.phases({ ...server, evidence: [long.said('waited', 250_000, 70)] })['queue_wait measured']).toBe(70_000)
})

test('a moment gives the time since then: before the span it is the lead of the request', () => {
  const lead = labOf({
    name: 'queue',
    kind: 'server',
    field: 'put_at',
    unit: 'epoch_ms',
    ends_at: 'span_start',
    phase: 'queue_wait'
  })
  const at = (ns: number): SpanOf => ({ ...server, evidence: [lead.said('put_at', (EPOCH_NS - ns) / 1e6)] })
  expect(lead.decompose([at(5e9)]).leadNs).toBeCloseTo(5e9, -4)
  expect(lead.phases(at(5e9))).toEqual({ unattributed: 1_000_000 })
  expect(lead.problems()).toEqual([])
  expect(lead.decompose([at(-5e9)]).leadNs).toBe(0)
  expect(lead.problems()).toEqual([['tail_evidence_implausible_total', 'user_rules', 1]])
  const within = labOf({ name: 'flush', field: 'begun', unit: 'epoch_s', ends_at: 'span_end', phase: 'gc' })
  const measured = within.phases({ ...server, evidence: [within.said('begun', (EPOCH_NS + 400_000) / 1e9)] })[
    'gc measured'
  ]
  expect(measured).toBeGreaterThan(599_000)
  expect(measured).toBeLessThan(601_000)
})

test('of the rules that match, the first for each phase counts', () => {
  const lab = labOf(
    { name: 'a', field: 'a', unit: 'ns', phase: 'gc' },
    { name: 'b', field: 'b', unit: 'ns', phase: 'gc' },
    { name: 'c', field: 'c', unit: 'ns', phase: 'scheduling' }
  )
  const of = (...keys: string[]): Record<string, number> =>
    lab.phases({ ...server, evidence: keys.map((key, i) => lab.said(key, 100 * (i + 1))) })
  expect(of('a', 'b', 'c')).toMatchObject({ 'gc measured': 100, 'scheduling measured': 300 })
  // A rule whose field is not there has nothing to say, and the next one is asked.
  expect(of('b')).toMatchObject({ 'gc measured': 100 })
})

test('a rule for the whole of a span leaves its children theirs, and claims no more than there is', () => {
  const lab = labOf({ name: 'render', span: 'render', phase: 'processing', grade: 'inferred' })
  const render = { ...child, name: 'render' }
  const call = { id: 3, parent: 2, startNs: 150_000, endNs: 250_000, kind: 'client' } as const
  expect(lab.phases(server, render, call)).toEqual({
    'processing inferred': 200_000,
    'downstream inferred': 100_000,
    unattributed: 700_000
  })
  expect(lab.problems()).toEqual([])
})

test('a rule that matches everything takes no request away', () => {
  const lab = labOf({ name: 'all', phase: 'queue_wait' })
  const peer = { id: 3, parent: 2, startNs: 150_000, endNs: 250_000, kind: 'server', service: 'b' } as const
  const spans = [server, { ...child, kind: 'client' as const }, peer]
  const result = lab.decompose(spans)
  expect(result.requests).toBe(2)
  expect(result.phases).toEqual({ 'queue_wait measured': 900_000, 'downstream measured': 100_000 })
  expect(lab.decompose([{ id: 1, startNs: 0, endNs: 10, kind: 'consumer' }]).requests).toBe(1)
  expect(lab.decompose([{ id: 1, startNs: 0, endNs: 10 }]).requests).toBe(1)
})

test('an amount in a unit that is wrong by 1000, or negative, is left out and counted as the rules’', () => {
  const lab = labOf({ name: 'lock', field: 'lock.wait', unit: 'ms', phase: 'queue_wait' })
  expect(lab.phases({ ...server, evidence: [lab.said('lock.wait', 50)] })).toEqual({ unattributed: 1_000_000 })
  expect(lab.phases({ ...server, evidence: [lab.said('lock.wait', -1)] })).toEqual({ unattributed: 1_000_000 })
  expect(lab.problems()).toEqual([['tail_evidence_implausible_total', 'user_rules', 2]])
})

test('whatever the rules and what spans say, phases add up to the request', () => {
  const every = ['ns', 'us', 'epoch_ms'].flatMap((unit, i) =>
    ['span_end', 'event_time', 'self_time', 'span_start']
      .filter((end) => !(unit.startsWith('epoch') && end === 'self_time'))
      .map((ends_at, j) => ({
        name: `${unit} ${ends_at}`,
        field: `f${(i + j) % 5}`,
        unit,
        ends_at,
        ...(ends_at === 'event_time' && { event: { name: `e${j}` } }),
        phase: ends_at === 'span_start' ? 'queue_wait' : phases[(i * 4 + j) % 7]
      }))
  )
  const lab = labOf(...every, { name: 'whole', span: { glob: 'op*' }, phase: 'network' })
  const codes = lab.decomposer.wants().length
  for (let seed = 1; seed <= 300; seed++) {
    const random = createRandom(seed)
    const below = (n: number): number => Math.floor(random() * n)
    const spans: SpanOf[] = Array.from({ length: 1 + below(8) }, (__, i) => {
      const startNs = below(1000)
      return {
        id: i + 1,
        ...(i > 0 && { parent: 1 + below(i) }),
        startNs,
        endNs: startNs + below(2000),
        kind: (['internal', 'client', 'server', 'consumer'] as const)[i === 0 ? 2 : below(4)] ?? 'internal',
        evidence: Array.from(
          { length: below(5) },
          () => [Evidence.firstWanted + below(codes), below(3000) - 500, below(1e6)] as const
        )
      }
    })
    // It throws when they do not add up.
    expect([seed, lab.decompose(spans).requests > 0]).toEqual([seed, true])
  }
})

describe('rules that are changed while spans are here', () => {
  const waited = { name: 'waited', field: 'waited_ms', unit: 'ms', ends_at: 'self_time', phase: 'queue_wait' }
  const other = { name: 'other', field: 'other_ms', unit: 'ms', ends_at: 'self_time', phase: 'gc' }
  const rulesOf = (...written: object[]) => rulesSection.parse(written)

  test('count from then on, also for spans that came before', () => {
    const lab = labOf(waited)
    const span = { ...server, evidence: [lab.said('waited_ms', 0.25)] }
    expect(lab.phases(span)['queue_wait measured']).toBe(250_000)
    lab.decomposer.setRules(rulesOf({ ...waited, phase: 'gc', grade: 'inferred' }))
    expect(lab.phases(span)).toMatchObject({ 'gc inferred': 250_000 })
    lab.decomposer.setRules([])
    expect(lab.phases(span)).toEqual({ unattributed: 1_000_000 })
  })

  test('never read what was kept for a rule that is gone as their own', () => {
    const lab = labOf(waited)
    const span = { ...server, evidence: [lab.said('waited_ms', 0.25)] }
    lab.decomposer.setRules(rulesOf(other))
    expect(lab.phases(span)).toEqual({ unattributed: 1_000_000 })
    expect(lab.phases({ ...server, evidence: [lab.said('other_ms', 0.5)] })['gc measured']).toBe(500_000)
    // The first is asked for again, and is what it was.
    lab.decomposer.setRules(rulesOf(other, waited))
    expect(lab.phases(span)['queue_wait measured']).toBe(250_000)
  })

  test('make other spans wait spans, by names that were already looked up', () => {
    const lab = labOf()
    expect(lab.phases(server, child)['queue_wait measured']).toBeUndefined()
    lab.decomposer.setRules(rulesOf({ name: 'pool', span: 'acquire db', phase: 'queue_wait' }))
    expect(lab.phases(server, child)['queue_wait measured']).toBe(300_000)
  })

  test('leave a giant that is being decomposed to the old ones', () => {
    const lab = labOf(waited)
    const trace = lab.world.trace([{ ...server, evidence: [lab.said('waited_ms', 0.25)] }, child])
    const options = { contextRows: 0, detail: false }
    const waitNs = ({ requests }: Decomposition): number =>
      requests.phaseNs[Phase.queueWait * GRADES + Grade.measured] as number
    const run = lab.decomposer.decomposeSliced(trace, options, 1)
    run.next()
    lab.decomposer.setRules([])
    let step = run.next()
    while (step.done !== true) step = run.next()
    expect(waitNs(step.value)).toBe(250_000)
    lab.decomposer.learn(step.value, new Uint8Array(1))
    const again = lab.decomposer.decomposeSliced(trace, options, 1)
    do step = again.next()
    while (step.done !== true)
    expect(waitNs(step.value)).toBe(0)
  })

  test('are refused when they have asked for too much since the start, and the old ones stay', () => {
    const lab = labOf(waited)
    const span = { ...server, evidence: [lab.said('waited_ms', 0.25)] }
    const manyOf = (turn: number) =>
      rulesOf(...Array.from({ length: 100 }, (_, i) => ({ ...other, name: `r${i}`, field: `f${turn}.${i}` })))
    let turns = 0
    expect(() => {
      for (; turns < 100; turns++) lab.decomposer.setRules(rulesOf(waited).concat(manyOf(turns)))
    }).toThrow('too many different attributes')
    expect(turns).toBe(40)
    expect(lab.phases(span)['queue_wait measured']).toBe(250_000)
  })
})

test('the decoder keeps what rules ask for, in both encodings', () => {
  const lab = labOf({
    name: 'lock',
    event: { name: { regex: '^lock (taken|got)' }, where: { key: 'target', equals: 'my::lock' } },
    field: 'waited',
    unit: 'ms',
    phase: 'queue_wait'
  })
  const { strings } = lab.world
  const decoder = createSpanDecoder({
    strings,
    resources: createResources(strings, decoderLimits),
    wants: lab.decomposer.wants()
  })
  const event = (name: string, ...attributes: KeyValue[]) => ({ timeUnixNano: '1700000000000000500', name, attributes })
  const span = {
    traceId: new Uint8Array(16).fill(1),
    spanId: new Uint8Array(8).fill(1),
    startTimeUnixNano: '1700000000000000000',
    endTimeUnixNano: '1700000000000001000',
    events: [
      event('lock taken at last', text('target', 'my::lock'), { key: 'waited', value: { doubleValue: 2.5 } }),
      event('lock got', text('target', 'my::lock'), text('waited', '3')),
      event('lock got', text('target', 'other'), int('waited', 4)),
      event('unlock taken', text('target', 'my::lock'), int('waited', 5)),
      event('', text('target', 'my::lock'), int('waited', 6))
    ]
  }
  const request = { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }
  for (const decode of [
    () => decoder.decodeProtobuf(encodeTraces(request), NaN),
    () => decoder.decodeJson(toJson(request), NaN)
  ]) {
    expect(decode().rejected).toBe(0)
    expect(decoder.batch.n).toBe(1)
    const { evidence, evidenceEnd } = decoder.batch
    expect(Array.from({ length: evidenceEnd[0] as number }, (_, i) => [evidence.a[i], evidence.b[i]])).toEqual([
      [500, 2.5],
      [500, 3]
    ])
  }
})

test('check-config says what each rule matches, and which never count', () => {
  const rules = rulesSection.parse([
    { name: 'pools', span: { prefix: 'acquire' }, kind: 'client', phase: 'queue_wait' },
    { name: 'db pool', span: 'acquire db', kind: 'client', phase: 'queue_wait' },
    { name: 'any pool', span: { glob: '*pool*' }, phase: 'queue_wait' },
    {
      name: 'lock',
      event: { name: 'locked', where: { key: 'target', equals: 'm' } },
      field: 'w',
      unit: 'ms',
      phase: 'gc'
    },
    { name: 'lead', field: 'put', unit: 'epoch_s', ends_at: 'span_start', phase: 'queue_wait' },
    { name: 'all', phase: 'network', grade: 'inferred' }
  ])
  expect(describeRules(rules).slice(1)).toEqual([
    '1. pools: spans with kind CLIENT, name beginning with "acquire".',
    "   All of the span's own time is queue_wait (measured).",
    '2. db pool: spans with kind CLIENT, name "acquire db".',
    "   All of the span's own time is queue_wait (measured).",
    '   Note: it never counts: "pools" above matches all that it matches.',
    '3. any pool: spans with name like "*pool*".',
    "   All of the span's own time is queue_wait (measured).",
    '   Note: it may match spans of "pools" above; there it does not count.',
    '4. lock: spans with an event "locked" whose target is "m".',
    "   As much as the event's w says in ms, up to the event, is gc (measured).",
    '5. lead: spans with attribute put.',
    "   From the moment put (epoch_s) to the span's start is queue_wait (measured).",
    '6. all: every span.',
    "   All of the span's own time is network (inferred).",
    '   Note: it matches every span; say a name, kind, scope, attribute or event.'
  ])
  expect(describeRules([])).toEqual([])
})
