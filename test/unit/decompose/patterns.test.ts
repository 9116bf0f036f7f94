import { expect, test } from '@jest/globals'
import { SIBLINGS_MAX } from '../../../src/decompose/cut/patterns.ts'
import { createDecomposer, decomposeSection, decomposeSettings, evidenceWants } from '../../../src/decompose/index.ts'
import { PATTERNS, type PatternName, patterns } from '../../../src/model/patterns.ts'
import { Outcome } from '../../../src/model/requests.ts'
import { Evidence } from '../../../src/model/spans.ts'
import { createWorld, type SpanOf } from '../../builders/traces.ts'
import { wholeNumbers } from '../../builders/whole-numbers.ts'
import { naivePatterns } from './naive-patterns.ts'

const settings = decomposeSettings(decomposeSection.parse({}))
const options = { contextRows: 0, detail: false }
/** One for all: each has tables of some 40 MiB, and of a process that has thousands of those mapped no child can be forked. */
const shared = createWorld()
const decomposer = createDecomposer(settings, shared)

/** Patterns above 0 of the root request, in ns. */
function patternsOf(spans: readonly SpanOf[]): Partial<Record<PatternName, number>> {
  const { requests, rootRequest } = decomposer.decompose(shared.trace(spans), options)
  return Object.fromEntries(
    patterns
      .map((name, i) => [name, requests.patternNs[rootRequest * PATTERNS + i] as number] as const)
      .filter(([, ns]) => ns > 0)
  )
}

const request: SpanOf = { id: 1, startNs: 0, endNs: 1000, kind: 'server', name: 'GET /buy' }

/**
 * A request of 1000 ns and its calls, each drawn below the other: from `|` to `|`, ten ns a character. What stands within says
 * how a call ended (`x` failed, `c` cancelled) and a name other than `ask`.
 */
function drawn(...lines: readonly string[]): SpanOf[] {
  const calls = lines.map((line, i): SpanOf => {
    const inside = line.slice(line.indexOf('|') + 1, line.lastIndexOf('|')).replaceAll('-', '')
    const outcome = inside.startsWith('x') ? Outcome.error : inside.startsWith('c') ? Outcome.timeout : Outcome.ok
    return {
      id: i + 2,
      parent: 1,
      startNs: 10 * line.indexOf('|'),
      endNs: 10 * line.lastIndexOf('|'),
      kind: 'client',
      name: inside.replace(/^[xc]/, '') || 'ask',
      outcome
    }
  })
  return [request, ...calls]
}

test('a call that is made once, and calls one after the other that went well, are no pattern', () => {
  expect(patternsOf(drawn('   |--------------|'))).toEqual({})
  expect(patternsOf(drawn('   |------|', '           |------------|'))).toEqual({})
  expect(patternsOf(drawn('   |--x---|'))).toEqual({})
  expect(patternsOf(drawn('   |--xread---|', '               |--write--|'))).toEqual({})
})

test('a retry takes from the start of the failed attempt to the start of the next: the attempt and the pause', () => {
  expect(patternsOf(drawn('   |--x---|', '            |----|'))).toEqual({ retry: 90 })
  expect(patternsOf(drawn('   |--c---|', '          |----|'))).toEqual({ retry: 70 })
})

test('three attempts are two retries', () => {
  expect(patternsOf(drawn('|--x---|', '          |-x--|', '                  |----|'))).toEqual({ retry: 180 })
})

test('what goes on after the attempt that went well is no retry', () => {
  expect(patternsOf(drawn('|--x--|', '        |---|', '              |-----|'))).toEqual({ retry: 80 })
})

test('of another call between two attempts only the pause after it counts', () => {
  expect(patternsOf(drawn('|--x--|', '        |--other--|', '                     |----|'))).toEqual({
    retry: 60 + 30
  })
})

test('attempts that nobody waited for cost nothing', () => {
  expect(patternsOf(drawn('|--x--|', '       |--|', '|-----------other---------------|'))).toEqual({})
})

test('a retry of several calls made at once: only what was on the path counts', () => {
  // The first went well at 120; from there on the path is the second attempt of the second, begun at 130.
  expect(patternsOf(drawn('|-----------|', '|---x----|', '             |-----------|'))).toEqual({ retry: 10 })
})

test('a hedge takes from the first call to the one that answered', () => {
  expect(patternsOf(drawn('|------c----------|', '         |--------|'))).toEqual({ hedge: 90 })
  expect(patternsOf(drawn('|------c--------|', '         |--------|'))).toEqual({ hedge: 90 })
})

test('a hedge that lost to the first call was waited for just as long', () => {
  expect(patternsOf(drawn('|-----------------|', '         |---c---|'))).toEqual({ hedge: 90 })
  expect(patternsOf(drawn('|-----------------|', '         |---c----|'))).toEqual({ hedge: 90 })
})

test('a first call left alone, that goes on after its request, was hedged all the same', () => {
  const spans = drawn('|-----------------|', '         |--------|').map((span) =>
    span.id === 2 ? { ...span, endNs: 1500 } : span
  )
  expect(patternsOf(spans)).toEqual({ hedge: 90 })
})

test('calls begun together of which one went well are no hedge', () => {
  expect(patternsOf(drawn('|--x-----|', '|-----------|'))).toEqual({ straggler: 30 })
})

test('two hedged calls that both failed are tried again', () => {
  expect(patternsOf(drawn('|-----c---|', '    |--c--|', '            |----|'))).toEqual({ retry: 120 })
})

test('of calls made at once the longest is the straggler, for what it took more than the median', () => {
  expect(patternsOf(drawn('|----|', '|-----|', '|----------------|'))).toEqual({ straggler: 170 - 60 })
  expect(patternsOf(drawn('|----|', '|-----|', '|------|', '|----------------|'))).toEqual({ straggler: 170 - 60 })
  expect(patternsOf(drawn('|----|', '|-----------|'))).toEqual({ straggler: 70 })
})

test('calls of equal length have no straggler, and different names no median', () => {
  expect(patternsOf(drawn('|----|', '|----|', ' |----|'))).toEqual({})
  expect(patternsOf(drawn('|-read---|', '|-------write--------|'))).toEqual({})
})

test('a straggler that something else outlasts counts as far as it was waited for', () => {
  expect(patternsOf(drawn('|----|', '|-----|', '|----------------|', '            |---other-----|'))).toEqual({})
  expect(patternsOf(drawn('|----|', '|-----|', '|----------------|', '                  |---other-----|'))).toEqual({
    straggler: 110
  })
})

test('calls that overlap by a hundredth of their length come one after the other', () => {
  const spans: SpanOf[] = [
    { id: 2, parent: 1, startNs: 0, endNs: 100, name: 'step' },
    { id: 3, parent: 1, startNs: 99, endNs: 900, name: 'step' }
  ]
  expect(patternsOf([request, ...spans])).toEqual({})
})

test('a pattern within a pattern counts once, as the outer one', () => {
  const spans: SpanOf[] = [
    { id: 2, parent: 1, startNs: 0, endNs: 500, name: 'buy', outcome: Outcome.error },
    { id: 3, parent: 1, startNs: 600, endNs: 900, name: 'buy' },
    { id: 4, parent: 2, startNs: 0, endNs: 100, name: 'ask', outcome: Outcome.error },
    { id: 5, parent: 2, startNs: 200, endNs: 400, name: 'ask' },
    { id: 6, parent: 3, startNs: 650, endNs: 700, name: 'ask', outcome: Outcome.error },
    { id: 7, parent: 3, startNs: 710, endNs: 720, name: 'ask' }
  ]
  expect(patternsOf([request, ...spans])).toEqual({ retry: 600 + 60 })
})

test('waits for a turn are no attempts, however many', () => {
  const waits = drawn('|--xpool.acquire---|', '                       |--pool.acquire---|')
  expect(patternsOf(waits)).toEqual({})
})

test.each(['http.request.resend_count', 'http.resend_count', 'previous-rpc-attempts'])(
  'a call that says itself that it is another attempt (%s) is one, whatever became of the first',
  (key) => {
    const code =
      Evidence.firstWanted + evidenceWants.findIndex((want) => want?.from === 'attribute' && want.key === key)
    const [root, one, two] = drawn('   |------|', '            |----|') as [SpanOf, SpanOf, SpanOf]
    expect(patternsOf([root, one, { ...two, evidence: [[code, 1, 0]] }])).toEqual({ retry: 90 })
    expect(patternsOf([root, one, { ...two, evidence: [[code, 0, 0]] }])).toEqual({})
  }
)

test('a peer that was asked twice within one call is a retry of the caller', () => {
  const spans: SpanOf[] = [
    { id: 2, parent: 1, startNs: 0, endNs: 900, kind: 'client', name: 'call' },
    {
      id: 3,
      parent: 2,
      startNs: 100,
      endNs: 300,
      kind: 'server',
      service: 'b',
      name: 'answer',
      outcome: Outcome.error
    },
    { id: 4, parent: 2, startNs: 400, endNs: 800, kind: 'server', service: 'b', name: 'answer' }
  ]
  expect(patternsOf([request, ...spans])).toEqual({ retry: 300 })
})

const inSlices = (spans: readonly SpanOf[]) => {
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  const run = decomposer.decomposeSliced(world.trace(spans), options, 20_000)
  let step = run.next()
  while (step.done !== true) step = run.next()
  const { requests } = step.value
  const found = patterns.map((name, i) => [name, requests.patternNs[i] as number] as const)
  return {
    found: Object.fromEntries(found.filter(([, ns]) => ns > 0)),
    unsearched: decomposer.counters.get('tail_patterns_unsearched_total')
  }
}

test('among 100,000 calls, made at once or again and again, the same is found, in slices too', () => {
  const n = 100_000
  const root = { id: 1, startNs: 0, endNs: 10 * n, kind: 'server', name: 'GET /buy' } as const
  const calls = (of: (i: number) => Pick<SpanOf, 'startNs' | 'endNs' | 'outcome'>): SpanOf[] => [
    root,
    ...Array.from({ length: n }, (_, i): SpanOf => ({ id: i + 2, parent: 1, kind: 'client', name: 'ask', ...of(i) }))
  ]
  const atOnce = calls((i) => ({ startNs: i % 7, endNs: (i % 7) + (i === n / 2 ? 9000 : 100 + (i % 3)) }))
  expect(patternsOf(atOnce)).toEqual({ straggler: 9000 - 101 })
  expect(inSlices(atOnce)).toEqual({ found: { straggler: 9000 - 101 }, unsearched: 0 })
  const again = calls((i) => ({
    startNs: 10 * i,
    endNs: 10 * i + 8,
    outcome: i === n - 1 ? Outcome.ok : Outcome.error
  }))
  expect(patternsOf(again)).toEqual({ retry: 10 * (n - 1) })
  expect(inSlices(again)).toEqual({ found: { retry: 10 * (n - 1) }, unsearched: 0 })
}, 30_000)

test('among more siblings than the limit nothing is looked for, and that is counted', () => {
  const n = SIBLINGS_MAX + 1
  const calls = Array.from({ length: n }, (_, i): SpanOf => {
    return { id: i + 2, parent: 1, startNs: 0, endNs: 10 + (i === 5 ? 900 : 0), kind: 'client', name: 'ask' }
  })
  expect(inSlices([request, ...calls])).toEqual({ found: {}, unsearched: n })
})

/** Requests whose calls often have one name, fail, are late, touch, nest; of one process, with some peers. */
function randomRequest(seed: number): SpanOf[] {
  const below = wholeNumbers(seed)
  const n = 2 + below(seed % 11 === 0 ? 90 : 14)
  const names = ['ask', 'ask', 'ask', 'tell']
  const spans: SpanOf[] = [{ id: 1, startNs: 0, endNs: 100 + below(900), kind: 'server', service: 's0', name: 'root' }]
  for (let id = 2; id <= n; id++) {
    const inProcess = spans.filter((span) => span.service === 's0')
    const parent = (below(3) === 0 ? inProcess[below(inProcess.length)] : spans[0]) as SpanOf
    const length = parent.endNs - parent.startNs
    const siblings = spans.filter((span) => span.parent === parent.id)
    const sibling = siblings[below(Math.max(1, siblings.length))]
    let startNs = parent.startNs + below(Math.max(1, length))
    if (sibling !== undefined && below(2) === 0) startNs = sibling.endNs + below(3)
    if (sibling !== undefined && below(4) === 0) startNs = sibling.startNs + below(8)
    spans.push({
      id,
      parent: parent.id,
      startNs,
      endNs: startNs + below(Math.max(2, Math.floor(length * 0.7))),
      kind: (['internal', 'client'] as const)[below(2)] as 'internal' | 'client',
      service: below(6) === 0 ? 's1' : 's0',
      name: names[below(names.length)] as string,
      outcome: [0, 0, 1, 2][below(4)] as number
    })
  }
  return spans
}

test('random requests: as by the naive reference, whatever the order of arrival and the size of the slices', () => {
  const seen = new Set<string>()
  for (let seed = 1; seed <= 1500; seed++) {
    const spans = randomRequest(seed)
    const found = patternsOf(spans)
    const naive = naivePatterns(spans, spans[0] as SpanOf)
    expect({ seed, retry: 0, hedge: 0, straggler: 0, ...found }).toEqual({ seed, ...naive })
    for (const name of Object.keys(found)) seen.add(name)
    if (seed % 10 !== 0) continue
    expect({ seed, ...patternsOf(spans.toReversed()) }).toEqual({ seed, ...found })
    const run = decomposer.decomposeSliced(shared.trace(spans), options, 1 + (seed % 7))
    let step = run.next()
    while (step.done !== true) step = run.next()
    const sliced = [...step.value.requests.patternNs.subarray(0, PATTERNS)]
    expect({ seed, sliced }).toEqual({ seed, sliced: patterns.map((name) => found[name] ?? 0) })
  }
  expect([...seen].sort()).toEqual(['hedge', 'retry', 'straggler'])
})
