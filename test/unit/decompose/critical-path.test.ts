import { expect, test } from '@jest/globals'
import { createDecomposer, decomposeSection, decomposeSettings } from '../../../src/decompose/index.ts'
import type { Decomposition } from '../../../src/model/decomposition.ts'
import { PHASE_SLOTS } from '../../../src/model/phases.ts'
import { createWorld, type SpanOf, type World } from '../../builders/traces.ts'
import { wholeNumbers } from '../../builders/whole-numbers.ts'
import { joined, naivePath } from './naive-path.ts'

const settings = decomposeSettings(decomposeSection.parse({}))
const options = { contextRows: 0, detail: true }

function decomposed(world: World, spans: readonly SpanOf[]): Decomposition {
  return createDecomposer(settings, world).decompose(world.trace(spans), options)
}

const pathOf = (d: Decomposition, spans: readonly SpanOf[]) =>
  Array.from({ length: d.path.n }, (_, i) => ({
    id: spans[d.path.span[i] as number]?.id,
    fromNs: d.path.startNs[i] as number,
    toNs: d.path.endNs[i] as number
  }))

const kinds = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const

/** Trees with overlaps, gaps, outliving children, touching and zero-length siblings, near overlaps, several services. */
function randomTree(seed: number): SpanOf[] {
  const below = wholeNumbers(seed)
  const n = 1 + below(seed % 17 === 0 ? 120 : 12)
  const unit = [1, 10, 1000, 250_000][below(4)] as number
  const spans: SpanOf[] = [
    { id: 1, startNs: 0, endNs: (20 + below(400)) * unit, kind: 'server', service: 's0', name: 'root' }
  ]
  for (let id = 2; id <= n; id++) {
    const parent = spans[below(spans.length)] as SpanOf
    const length = parent.endNs - parent.startNs
    const sibling = spans.find((span) => span.parent === parent.id)
    let startNs = parent.startNs - Math.floor(length / 8) + below(Math.max(1, Math.floor((length * 9) / 8)))
    if (sibling !== undefined && below(3) === 0) startNs = sibling.endNs
    if (sibling !== undefined && below(4) === 0) startNs = sibling.endNs - below(Math.max(1, Math.floor(length / 90)))
    const endNs = startNs + (below(6) === 0 ? 0 : below(Math.max(1, Math.floor(length * 0.8))))
    const link = below(25) === 0 ? { linkTo: parent.id } : {}
    const kind = kinds[below(kinds.length)] as (typeof kinds)[number]
    spans.push({ id, parent: parent.id, startNs, endNs, kind, service: `s${below(3)}`, ...link })
  }
  return spans
}

/** Everything that must hold of a decomposition, as complaints: `expect` on each would take most of the time. */
function complaints(d: Decomposition, spans: readonly SpanOf[]): string[] {
  const found: string[] = []
  const root = spans[d.root] as SpanOf
  const path = JSON.stringify(pathOf(d, spans))
  const naive = JSON.stringify(joined(naivePath(spans, root)))
  if (path !== naive) found.push(`path ${path} is not ${naive}`)
  let blamedNs = 0
  for (let i = 0; i < d.blame.n; i++) blamedNs += d.blame.ns[i] as number
  if (blamedNs !== root.endNs - root.startNs) found.push(`blame adds up to ${blamedNs}`)
  for (let request = 0; request < d.requests.n; request++) {
    const cells = d.requests.phaseNs.subarray(request * PHASE_SLOTS, (request + 1) * PHASE_SLOTS)
    if (!cells.every((ns) => ns >= 0 && Number.isInteger(ns)))
      found.push(`request ${request} has a part of a nanosecond`)
    if (sum(cells) !== d.requests.durationNs[request]) found.push(`request ${request} adds up to ${sum(cells)}`)
  }
  for (const [row, span] of spans.entries()) {
    const ownNs = sum(d.own.phaseNs.subarray(row * PHASE_SLOTS, (row + 1) * PHASE_SLOTS))
    const ns = ownNs + (d.own.inProcessChildrenNs[row] as number)
    if (ns !== span.endNs - span.startNs) found.push(`span ${row} adds up to ${ns}`)
  }
  return found
}

const sum = (cells: Float64Array): number => cells.reduce((a, b) => a + b, 0)

test('10,000 random trees: the path equals the naive reference, tiles the root, and every request adds up to its duration', () => {
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  for (let seed = 1; seed <= 10_000; seed++) {
    const spans = randomTree(seed)
    const found = complaints(decomposer.decompose(world.trace(spans), options), spans)
    if (found.length > 0) throw new Error(`seed ${seed}: ${found.join('; ')}`)
  }
})

test('the order of arrival changes nothing', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const world = createWorld()
    const spans = randomTree(seed)
    const below = wholeNumbers(seed * 31)
    const shuffled = spans
      .map((span) => ({ span, key: below(1e9) }))
      .sort((a, b) => a.key - b.key)
      .map(({ span }) => span)
    const one = pathOf(decomposed(world, spans), spans)
    expect({ seed, path: pathOf(decomposed(world, shuffled), shuffled) }).toEqual({ seed, path: one })
  }
})

test('slices give what one run gives', () => {
  let yields = 0
  for (let seed = 17; seed <= 17 * 60; seed += 17) {
    const world = createWorld()
    const spans = randomTree(seed)
    const decomposer = createDecomposer(settings, world)
    const whole = decomposer.decompose(world.trace(spans), options)
    const run = decomposer.decomposeSliced(world.trace(spans), options, 1 + (seed % 50))
    let step = run.next()
    for (; step.done !== true; step = run.next()) yields += 1
    expect(pathOf(step.value, spans)).toEqual(pathOf(whole, spans))
    const cells = whole.requests.n * PHASE_SLOTS
    expect(step.value.requests.phaseNs.subarray(0, cells)).toEqual(whole.requests.phaseNs.subarray(0, cells))
  }
  expect(yields).toBeGreaterThan(60)
})

test('self-parents and cycles are broken at their earliest span, whatever came first', () => {
  const world = createWorld()
  const spans: SpanOf[] = [
    { id: 1, parent: 1, startNs: 0, endNs: 10 },
    { id: 2, parent: 4, startNs: 30, endNs: 40 },
    { id: 3, parent: 2, startNs: 20, endNs: 90 },
    { id: 4, parent: 3, startNs: 21, endNs: 80 },
    { id: 5, parent: 2, startNs: 31, endNs: 35 }
  ]
  const d = decomposed(world, spans)
  expect(d.complete).toBe(false)
  expect(spans[d.root]?.id).toBe(3)
  expect(pathOf(d, spans)).toEqual([
    { id: 3, fromNs: 20, toNs: 21 },
    { id: 4, fromNs: 21, toNs: 30 },
    { id: 2, fromNs: 30, toNs: 31 },
    { id: 5, fromNs: 31, toNs: 35 },
    { id: 2, fromNs: 35, toNs: 40 },
    { id: 4, fromNs: 40, toNs: 80 },
    { id: 3, fromNs: 80, toNs: 90 }
  ])
})

test('a chain of 100,000 and a fan-out of 100,000 are cut whole', () => {
  const world = createWorld()
  const n = 100_000
  const chain = Array.from({ length: n }, (_, i): SpanOf => ({
    id: i + 1,
    ...(i === 0 ? {} : { parent: i }),
    startNs: i,
    endNs: 2 * n - i,
    name: 'link'
  }))
  expect(decomposed(world, chain).path.n).toBe(2 * n - 1)
  const fan = Array.from({ length: n }, (_, i): SpanOf =>
    i === 0
      ? { id: 1, startNs: 0, endNs: 10 * n, name: 'root' }
      : { id: i + 1, parent: 1, startNs: i * 3, endNs: i * 3 + 50 * (i % 7), name: 'leaf' }
  )
  const d = decomposed(world, fan)
  expect(d.requests.durationNs[0]).toBe(10 * n)
})

test('requests keep their phases as traces with more and more of them come, past every size of the scratch', () => {
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  for (let n = 1; n <= 300; n++) {
    const spans = Array.from({ length: n }, (_, i): SpanOf => ({
      id: i + 1,
      startNs: i,
      endNs: i + 10,
      kind: 'server',
      name: 'op'
    }))
    const { requests } = decomposer.decompose(world.trace(spans), { contextRows: 0, detail: false })
    expect(requests.n).toBe(n)
    expect(sum(requests.phaseNs.subarray(0, n * PHASE_SLOTS))).toBe(10 * n)
  }
})
