import { expect, test } from '@jest/globals'
import { createAssembler } from '../../../src/assemble/index.ts'
import { Evidence, Kind } from '../../../src/model/spans.ts'
import { batchOf, EPOCH, resourcesOf } from '../../builders/batches.ts'
import { lines, settingsOf, tellStory } from './story.ts'

test('a consumer that comes later is a unit of its own with its producer as context, and not late', () => {
  const { play } = tellStory()
  const told = play(`
    0s    a1!s a2<1!p a3<1!c
    8s
    60s   a5<4
    61s   a4<2!k
    69s
  `)
  expect(told).toBe(
    lines(`
      8s a quiet: 1 2 3
      69s a late_unit: [2] 5 4
    `)
  )
})

test('units are the topmost SERVER and CONSUMER spans with what lies below; the rest is late', () => {
  const story = tellStory()
  const told = story.play(`
    0s    a1!s
    8s    a2<1!c a3<2!s a4<3 a5<4!c a6<5!s a7<1 a8<9!k
    16s
  `)
  expect(told).toBe(
    lines(`
      8s a quiet: 1
      16s a late_unit: 3 4 5 6
      16s a late_unit: 8
      16s a late: 2 7
    `)
  )
  expect(story.assembler.counters.get('tail_traces_closed_total', 6)).toBe(2)
})

test('a continuation waits for quiet_time, with or without a root', () => {
  expect(tellStory().play('0s a1\n8s a2<1\n12s a3<1\n19.999s\n20s')).toBe('8s a quiet: 1\n20s a late: 2 3')
})

test('a span is late within late_window after the last closing, and a new trace beyond', () => {
  const told = tellStory().play(`
    0s         a1
    8s
    300s       a2<1
    308s
    607.999s   a3<1
    616s
    916s       a4
    1000s
  `)
  expect(told).toBe(
    lines(`
      8s a quiet: 1
      308s a late: 2
      616s a late: 3
      1000s a quiet: 4
    `)
  )
})

test('an export sent twice is recognised after its trace has closed, and after its late unit too', () => {
  const { assembler, play } = tellStory()
  const told = play(`
    0s   a1!s a2<1!p
    8s   a1!s a2<1!p
    16s  a3<2!k
    24s  a1!s a3<2!k a4<3
    32s
  `)
  expect(told).toBe(
    lines(`
      8s a quiet: 1 2
      24s a late_unit: [2] 3
      32s a late: 4
    `)
  )
  expect(assembler.counters.get('tail_spans_duplicate_total')).toBe(4)
})

test('a unit of a trace that closed without its root is marked: the closed part may hold what lies below', () => {
  expect(tellStory().play('0s a2<1\n60s a1!s\n68s')).toBe('60s a no_root: 2\n68s a late_unit truncated: 1')
})

test('of many producers, those that nobody has answered are kept for later consumers', () => {
  const told = tellStory().play(`
    0s   a1 a2<1!p a3<1!p a4<1!p a5<1!p a6<1!p a7<1!p
    0s   a12<2!k a13<3!k
    8s   a14<4!k a15<5!k a16<6!k a17<7!k a18<2!k
    16s
  `)
  expect(told).toBe(
    lines(`
      8s a quiet: 1 2 3 4 5 6 7 12 13
      16s a late_unit: [4] 14
      16s a late_unit: [5] 15
      16s a late_unit: [6] 16
      16s a late_unit: [7] 17
      16s a late_unit: 18
    `)
  )
})

test('a producer that comes late itself is context for the consumer beside it', () => {
  expect(tellStory().play('0s a1\n8s a2<1!p a3<2!k\n16s')).toBe(
    lines(`
      8s a quiet: 1
      16s a late_unit: [2] 3
      16s a late: 2
    `)
  )
})

test('a cycle among late spans neither hangs nor loses a span', () => {
  const told = tellStory().play('0s a1\n8s a2<3 a3<2 a4<4 a5<6!s a6<5 a7<7!k\n16s')
  expect(told).toBe(
    lines(`
      8s a quiet: 1
      16s a late_unit: 5
      16s a late_unit: 7
      16s a late: 2 3 4 6
    `)
  )
})

test('a producer named by link is context too, with its true times, name and resource', () => {
  const units: unknown[] = []
  const assembler = createAssembler(
    settingsOf(),
    { resources: resourcesOf(4), seed: 3 },
    {
      closed(trace, contextRows) {
        if (contextRows === 0) return
        const base = (BigInt(trace.baseHi) << 32n) + BigInt(trace.baseLo)
        const rows = Array.from({ length: trace.n }, (_, row) => ({
          id: trace.spanId[2 * row + 1],
          start: base + BigInt(trace.startNs[row] as number),
          end: base + BigInt(trace.endNs[row] as number),
          kind: trace.kind[row],
          name: trace.name[row],
          resource: trace.resource[row],
          evidence: trace.evidenceEnd[row]
        }))
        units.push({ contextRows, rows })
      },
      late: () => undefined
    }
  )
  const second = 1e9
  assembler.consume(
    batchOf([
      { trace: 1, id: 1, start: 0, end: 9 },
      { trace: 1, id: 2, parent: 1, start: 5, end: 3 * second, kind: Kind.producer, name: 21, resource: 2 }
    ]),
    0
  )
  assembler.tick(8_000)
  assembler.consume(
    batchOf([
      {
        trace: 1,
        id: 3,
        parent: 99,
        start: 70 * second + 7,
        end: 71 * second,
        kind: Kind.consumer,
        name: 22,
        resource: 3,
        evidence: [[Evidence.linkSameTrace, 0, 2]]
      }
    ]),
    9_000
  )
  assembler.shutdown(10_000)
  expect(units).toEqual([
    {
      contextRows: 1,
      rows: [
        {
          id: 2,
          start: EPOCH + 5n,
          end: EPOCH + 3_000_000_000n,
          kind: Kind.producer,
          name: 21,
          resource: 2,
          evidence: 0
        },
        {
          id: 3,
          start: EPOCH + 70_000_000_007n,
          end: EPOCH + 71_000_000_000n,
          kind: Kind.consumer,
          name: 22,
          resource: 3,
          evidence: 1
        }
      ]
    }
  ])
})

test('producers kept for later consumers keep their strings and resources alive', () => {
  const { assembler } = tellStory()
  const root = { trace: 1, id: 1 }
  const producer = { trace: 1, id: 2, parent: 1, kind: Kind.producer, name: 21, operation: 22, scope: 23, resource: 2 }
  assembler.consume(batchOf([root, producer]), 0)
  assembler.tick(8_000)
  expect(assembler.openTraces()).toBe(0)
  const marks = { strings: new Uint8Array(32), resources: new Uint8Array(8) }
  assembler.mark(marks)
  expect([21, 22, 23].map((id) => marks.strings[id])).toEqual([1, 1, 1])
  expect(marks.resources[2]).toBe(1)
})

test('many units of one continuation are handed on in slices', () => {
  const { assembler } = tellStory({ sliceSpans: 10 })
  assembler.consume(batchOf([{ trace: 97, id: 1 }]), 0)
  assembler.tick(8_000)
  const consumers = Array.from({ length: 100 }, (_, i) => ({ trace: 97, id: i + 2, parent: 1, kind: Kind.consumer }))
  assembler.consume(batchOf(consumers), 9_000)
  let ticks = 0
  for (; assembler.due(17_000); ticks++) assembler.tick(17_000)
  expect(ticks).toBeGreaterThan(15)
  expect(assembler.counters.get('tail_traces_closed_total', 6)).toBe(100)
})
