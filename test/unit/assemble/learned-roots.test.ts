import { expect, test } from '@jest/globals'
import { Kind } from '../../../src/model/spans.ts'
import { createLearnedRoots, LEARNED_OPERATIONS_MAX } from '../../../src/assemble/learned-roots.ts'
import { batchOf } from '../../builders/batches.ts'
import { lines, tellStory } from './story.ts'

const SERVICE = 100

function createHistory(forgotten: () => void = () => undefined) {
  const learned = createLearnedRoots(1, forgotten)
  let trace = 0
  return {
    learned,
    see: (orphaned: boolean, times = 1) => {
      for (let i = 0; i < times; i++) learned.observe(SERVICE, 7, orphaned, ++trace)
    }
  }
}

test('an operation is a root when its parent never came in 198 of its last 200 traces', () => {
  const { learned, see } = createHistory()
  see(true, 199)
  expect(learned.isRoot(SERVICE, 7)).toBe(false)
  see(true)
  expect(learned.isRoot(SERVICE, 7)).toBe(true)
  see(false, 2)
  expect(learned.isRoot(SERVICE, 7)).toBe(true)
  see(false)
  expect(learned.isRoot(SERVICE, 7)).toBe(false)
  see(true, 198)
  expect(learned.isRoot(SERVICE, 7)).toBe(true)
  expect(learned.isRoot(SERVICE + 1, 7)).toBe(false)
})

test('several spans of an operation in one trace are one entry, orphaned if one of them is', () => {
  const { learned } = createHistory()
  for (let trace = 1; trace <= 200; trace++) {
    learned.observe(SERVICE, 7, trace % 2 === 0, trace)
    learned.observe(SERVICE, 7, true, trace)
    learned.observe(SERVICE, 7, false, trace)
    expect(learned.isRoot(SERVICE, 7)).toBe(trace >= 200)
  }
})

test('parents that come after all end the habit', () => {
  const { learned, see } = createHistory()
  see(true, 200)
  learned.retract(SERVICE, 7)
  learned.retract(SERVICE, 7)
  expect(learned.isRoot(SERVICE, 7)).toBe(true)
  learned.retract(SERVICE, 7)
  expect(learned.isRoot(SERVICE, 7)).toBe(false)
})

test('the table is bounded: the operation seen longest ago makes room, and is counted', () => {
  let forgotten = 0
  const { learned } = createHistory(() => (forgotten += 1))
  const bytes = learned.bytes()
  for (let operation = 0; operation < 3 * LEARNED_OPERATIONS_MAX; operation++) {
    learned.observe(SERVICE, operation, true, operation + 1)
  }
  expect(learned.bytes()).toBe(bytes)
  expect(forgotten).toBeGreaterThanOrEqual(2 * LEARNED_OPERATIONS_MAX)
  const marks = { strings: new Uint8Array(4 * LEARNED_OPERATIONS_MAX), resources: new Uint8Array(1) }
  learned.mark(marks)
  expect(marks.strings[3 * LEARNED_OPERATIONS_MAX - 1]).toBe(1)
})

/** 200 traces behind an ingress that sends no spans: a SERVER span whose parent never comes, and its child. */
function learnIngress(story: ReturnType<typeof tellStory>): void {
  for (let trace = 1; trace <= 200; trace++) {
    const entry = { trace: 1000 + trace, id: 1, parent: 99, kind: Kind.server, operation: 7 }
    story.assembler.consume(batchOf([entry, { ...entry, id: 2, parent: 1, operation: 8 }]), 1_000_000)
  }
  story.play('0s\n60s')
}

test('behind an ingress that sends no spans, traces stop waiting for a root after 200 of them', () => {
  const story = tellStory()
  learnIngress(story)
  expect(
    story.play(`
      100s     a1<99!s/7 a2<1  b1<99!c/7  c1<99!s/9
      107.9s
      108s
      159.9s
      160s
    `)
  ).toBe(
    lines(`
      108s a quiet: 1 2
      160s b no_root: 1
      160s c no_root: 1
    `)
  )
})

test('a parent that comes after the habit has closed its trace counts against the habit', () => {
  const story = tellStory()
  learnIngress(story)
  story.play(`
    100s  a1<99!s/7 b1<99!s/7 c1<99!s/7
    110s  a99 b99
    120s  c98
    130s  c99
    139s
  `)
  expect(story.play('150s d1<99!s/7\n158s\n210s')).toBe('210s d no_root: 1')
})

test('traces that were cut short teach nothing', () => {
  const story = tellStory({ tracesMax: 1 })
  for (let trace = 1; trace <= 300; trace++) {
    story.assembler.consume(
      batchOf([{ trace: 1000 + trace, id: 1, parent: 99, kind: Kind.server, operation: 7 }]),
      1_000_000
    )
  }
  expect(story.play('0s a1<99!s/7\n8s\n60s')).toBe('0s \u0514 memory: 1\n60s a no_root: 1')
})
