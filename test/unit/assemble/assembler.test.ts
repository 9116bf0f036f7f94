import { expect, test } from '@jest/globals'
import { Evidence, Kind, SpanFlag } from '../../../src/model/spans.ts'
import { createAssembler } from '../../../src/assemble/index.ts'
import { batchOf, EPOCH, resourcesOf, traceIdOf } from '../../builders/batches.ts'
import { lines, settingsOf, tellStory } from './story.ts'

test('a trace with its root closes when no span came for quiet_time', () => {
  const story = tellStory()
  const told = story.play(`
    0s       a2<1 b1
    3s       a1
    7.999s
    8s
    10.999s
    11s
  `)
  expect(told).toBe(
    lines(`
      8s b quiet: 1
      11s a quiet: 2 1
    `)
  )
})

test('every span starts the quiet time anew, however long ago the first one was', () => {
  const told = tellStory().play(`
    0s     a1
    7s     a2<1
    14s    a3<1
    21s    a4<1
    28.9s
    29s
  `)
  expect(told).toBe('29s a quiet: 1 2 3 4')
})

test('a trace without its root waits root_wait after its last span', () => {
  const told = tellStory().play(`
    0s       a2<1
    30s      a3<1
    89.999s
    90s
  `)
  expect(told).toBe('90s a no_root: 2 3')
})

test('a root that comes while its trace waits for it ends the wait after quiet_time', () => {
  const told = tellStory().play(`
    0s      a2<1
    50s     a1
    57.999s
    58s
  `)
  expect(told).toBe('58s a quiet: 2 1')
})

test('a trace closes at age_max although spans keep coming', () => {
  const story = tellStory({ ageMaxMs: 20_000 })
  const told = story.play(`
    0s      a1 b9<8
    6s      a2<1 b2<8
    12s     a3<1 b3<8
    18s     a4<1 b4<8
    19.999s
    20s
  `)
  expect(told).toBe(
    lines(`
      20s a age: 1 2 3 4
      20s b age: 9 2 3 4
    `)
  )
})

test('traces are counted by why they closed', () => {
  const { assembler, play } = tellStory({ ageMaxMs: 70_000 })
  play(`
    0s   a1 b2<1
    8s
    60s  c1
    64s  c2<1
  `)
  assembler.shutdown(1_065_000)
  const closed = assembler.counters.samples().filter((sample) => sample.name === 'tail_traces_closed_total')
  expect(Object.fromEntries(closed.map(({ labelValue, value }) => [labelValue, value]))).toEqual({
    quiet: 1,
    no_root: 1,
    age: 0,
    spans: 0,
    memory: 0,
    shutdown: 1,
    late_unit: 0
  })
})

test('a span beyond spans_per_trace_max closes its trace, is dropped with all that follow, and counts', () => {
  const { assembler, play } = tellStory({ spansPerTraceMax: 3 })
  const told = play(`
    0s    a1 a2<1 a3<1 b1 b2<1 b3<1
    1s    a4<1 a5<1
    2s    a6<1
    100s  a7<1
    302s  a8
    400s
  `)
  expect(told).toBe(
    lines(`
      2s a spans truncated: 1 2 3
      100s b quiet: 1 2 3
      400s a quiet: 8
    `)
  )
  expect(assembler.counters.get('tail_spans_over_trace_max_total')).toBe(4)
})

test('the trace that was quiet for longest makes room when spans_max is reached', () => {
  const { assembler, play } = tellStory({ spansMax: 4 })
  const told = play(`
    0s  a1
    1s  b2<1
    2s  c1
    3s  a2<1
    4s  d1
    5s  e1
  `)
  expect(told).toBe(
    lines(`
      4s b memory: 2
      5s c memory: 1
    `)
  )
  expect(assembler.openSpans()).toBe(4)
})

test('the trace that was quiet for longest makes room when traces_max is reached', () => {
  const { assembler, play } = tellStory({ tracesMax: 2 })
  expect(play('0s a1 b1 a2<1\n1s a3<1\n2s c1')).toBe('2s b memory: 1')
  expect(assembler.openTraces()).toBe(2)
})

test('a trace that alone fills spans_max closes and goes on as a continuation', () => {
  const told = tellStory({ spansMax: 3 }).play(`
    0s  a1 a2<1 a3<1 a4<1
    8s
  `)
  expect(told).toBe(
    lines(`
      0s a memory: 1 2 3
      8s a late: 4
    `)
  )
})

test('relieve closes the quietest traces until enough bytes are free, a slice at a time', () => {
  const { assembler, play } = tellStory({ sliceSpans: 2 })
  play('0s a1 a2<1 a3<1 b1\n1s c1\n2s d1')
  const before = assembler.memory()
  assembler.relieve(64 * 3 + 128 + 1, 1_002_000)
  while (assembler.due(1_002_000)) assembler.tick(1_002_000)
  expect(assembler.openTraces()).toBe(2)
  expect(assembler.counters.get('tail_traces_closed_total', 4)).toBe(2)
  const after = assembler.memory()
  expect((before['spans'] ?? 0) - (after['spans'] ?? 0)).toBe(64 * 4)
})

test('of a giant and many small ones the giant is closed first, although it is the youngest; pages go back after it', () => {
  const { assembler, play } = tellStory({ sliceSpans: 64 })
  const giant = Array.from({ length: 100 }, (_, i) => `z${i + 1}${i === 0 ? '' : '<1'}`).join(' ')
  play(`0s a1 b1 c1 d1 e1\n1s ${giant}`)
  assembler.relieve(64 * 50, 1_002_000)
  while (assembler.due(1_002_000)) assembler.tick(1_002_000)
  expect(assembler.openTraces()).toBe(5)
  expect(assembler.openSpans()).toBe(5)
})

test('a duplicate is dropped and counted, and the first to come wins', () => {
  const { assembler, play } = tellStory()
  const told = play(`
    0s  a1 a2<1@5 a2<1@7
    1s  a1 b2<1
    2s  a3<1
    10s
  `)
  expect(told).toBe('10s a quiet: 1 2 3')
  expect(assembler.counters.get('tail_spans_duplicate_total')).toBe(2)
})

test('self-parents and cycles come out as they went in', () => {
  expect(tellStory().play('0s a1 a2<2 a3<4 a4<3\n8s')).toBe('8s a quiet: 1 2 3 4')
})

test('columns come out as they went in, with times after the earliest start', () => {
  const closed: unknown[] = []
  const assembler = createAssembler(
    settingsOf(),
    { resources: resourcesOf(4), seed: 3 },
    {
      closed({ n, baseHi, baseLo, traceId, ...columns }) {
        closed.push({
          base: (BigInt(baseHi) << 32n) + BigInt(baseLo),
          traceId: [...traceId],
          spanId: [...columns.spanId.subarray(0, 2 * n)],
          parentId: [...columns.parentId.subarray(0, 2 * n)],
          startNs: [...columns.startNs.subarray(0, n)],
          endNs: [...columns.endNs.subarray(0, n)],
          name: [...columns.name.subarray(0, n)],
          operation: [...columns.operation.subarray(0, n)],
          scope: [...columns.scope.subarray(0, n)],
          resource: [...columns.resource.subarray(0, n)],
          kind: [...columns.kind.subarray(0, n)],
          outcome: [...columns.outcome.subarray(0, n)],
          flags: [...columns.flags.subarray(0, n)],
          evidenceEnd: [...columns.evidenceEnd.subarray(0, n)],
          evidence: [...columns.evidence.code.subarray(0, columns.evidenceEnd[n - 1])].map((code, i) => [
            code,
            columns.evidence.a[i],
            columns.evidence.b[i]
          ])
        })
      },
      late: () => undefined
    }
  )
  const first = { trace: 7, id: 2 ** 40 + 5, parent: 9, start: 5_000_000_000, end: 9_000_000_001, kind: Kind.client }
  const second = { trace: 7, id: 9, start: 4_999_999_998, end: 9_000_000_002, kind: Kind.server, outcome: 2 }
  assembler.consume(
    batchOf([
      { ...first, name: 3, operation: 4, scope: 5, resource: 1, evidence: [[20, 1.5, -2]] },
      {
        ...second,
        name: 6,
        resource: 2,
        flags: 0xffff,
        evidence: [
          [16, 2 ** 52 + 1, 0],
          [0xffff, -1, 7]
        ]
      }
    ]),
    0
  )
  assembler.shutdown(0)
  expect(closed).toEqual([
    {
      base: EPOCH + 4_999_999_998n,
      traceId: traceIdOf(7),
      spanId: [256, 5, 0, 9],
      parentId: [0, 9, 0, 0],
      startNs: [2, 0],
      endNs: [4_000_000_003, 4_000_000_004],
      name: [3, 6],
      operation: [4, 0],
      scope: [5, 0],
      resource: [1, 2],
      kind: [Kind.client, Kind.server],
      outcome: [0, 2],
      flags: [0, 0xffff],
      evidenceEnd: [1, 3],
      evidence: [
        [20, 1.5, -2],
        [16, 2 ** 52 + 1, 0],
        [0xffff, -1, 7]
      ]
    }
  ])
})

test('a span more than 2^53 ns away from the others is dropped, counted, and its trace marked', () => {
  const { assembler, play } = tellStory()
  const far = 2 ** 53
  const near = { trace: 'a'.charCodeAt(0), id: 1, start: far, end: far }
  assembler.consume(
    batchOf([near, { ...near, id: 2, start: 0, end: 1 }, { ...near, id: 3, start: 1, end: 2 }]),
    1_000_000
  )
  assembler.consume(batchOf([{ ...near, id: 4, start: far, end: far + 2 }]), 1_000_000)
  expect(play('8s')).toBe('8s a quiet truncated: 1 3')
  expect(assembler.counters.get('tail_spans_misfit_total')).toBe(2)
})

test('evidence beyond 256 rows of one span is dropped and counted', () => {
  const rows: number[] = []
  const assembler = createAssembler(
    settingsOf({ spansMax: 1 }),
    { resources: resourcesOf(1), seed: 3 },
    { closed: (trace) => rows.push(trace.evidenceEnd[0] as number), late: () => undefined }
  )
  const evidence = Array.from({ length: 300 }, (_, i) => [16, i, 0] as const)
  assembler.consume(
    batchOf([
      { trace: 1, id: 1, evidence },
      { trace: 2, id: 1, evidence: evidence.slice(0, 256) }
    ]),
    0
  )
  assembler.shutdown(0)
  expect(rows).toEqual([256, 256])
  expect(assembler.counters.get('tail_evidence_dropped_total')).toBe(44)
})

test('a giant is gathered in slices, and what comes for it meanwhile is its continuation', () => {
  const story = tellStory({ sliceSpans: 10 })
  const { assembler } = story
  const giant = Array.from({ length: 95 }, (_, i) => ({ trace: 97, id: i + 1, parent: i }))
  assembler.consume(batchOf(giant), 1_000_000)
  let ticks = 0
  for (; assembler.due(1_008_000); ticks++) {
    if (ticks === 3) assembler.consume(batchOf([{ trace: 97, id: 500, parent: 1 }]), 1_008_000)
    if (ticks === 4) assembler.consume(batchOf([{ trace: 97, id: 2, parent: 1 }]), 1_008_000)
    assembler.tick(1_008_000)
  }
  expect(ticks).toBeGreaterThan(9)
  expect(assembler.counters.get('tail_traces_closed_total', 0)).toBe(1)
  expect(story.play('16s')).toBe('16s a late: 500')
  expect(assembler.counters.get('tail_spans_duplicate_total')).toBe(1)
  expect(assembler.openTraces()).toBe(0)
})

test('a tick closes about a slice of spans and says that more is due', () => {
  const { assembler } = tellStory({ sliceSpans: 4 })
  for (let trace = 1; trace <= 9; trace++) assembler.consume(batchOf([{ trace, id: 1 }]), 0)
  const left: number[] = []
  while (assembler.due(8_000)) {
    assembler.tick(8_000)
    left.push(assembler.openTraces())
  }
  expect(left).toEqual([7, 5, 3, 1, 0])
})

test('a clock that is set back does not stop closing', () => {
  const { assembler, play } = tellStory()
  play('1000s a1')
  assembler.tick(0)
  assembler.tick(8_000)
  expect(assembler.openTraces()).toBe(0)
})

test('shutdown hands everything on, continuations too, and a second one nothing', () => {
  const { assembler, play } = tellStory()
  play(`
    0s  a1
    8s  a2<1 b2<1 c1
    9s  a3<1!s
  `)
  assembler.shutdown(1_009_000)
  expect(assembler.openSpans()).toBe(0)
  const count = (): number[] =>
    Array.from({ length: 7 }, (_, i) => assembler.counters.get('tail_traces_closed_total', i))
  expect(count()).toEqual([1, 0, 0, 0, 0, 2, 1])
  assembler.shutdown(1_009_000)
  expect(count()).toEqual([1, 0, 0, 0, 0, 2, 1])
})

test('held until memory, nothing closes by time', () => {
  const { assembler, play } = tellStory({ holdUntilMemory: true, spansMax: 3 })
  const told = play(`
    0s      a1
    1000s   b1
    2000s   a2<1
    90000m  c1
  `)
  expect(told).toBe('90000m b memory: 1')
  assembler.shutdown(0)
  expect(assembler.openTraces()).toBe(0)
})

test('of requests that share a batch each trace knows the first and the last with a span of it', () => {
  const custodies = new Map<number, object>()
  const assembler = createAssembler(
    settingsOf(),
    { resources: resourcesOf(8), seed: 1 },
    {
      closed({ traceId, custody }) {
        custodies.set(traceId[3] as number, { ...custody })
      },
      late: () => undefined
    }
  )
  const spans = [
    { trace: 1, id: 1 },
    { trace: 2, id: 1 },
    { trace: 2, id: 2 },
    { trace: 1, id: 2 },
    { trace: 3, id: 1 }
  ]
  assembler.consume(batchOf(spans), 0, { ends: [2, 3, 5], sequences: [7, 8, 12] })
  expect(assembler.oldestOpen()).toBe(7)
  assembler.shutdown(0)
  expect(custodies).toEqual(
    new Map([
      [1, { first: 7, last: 12, parts: 1 }],
      [2, { first: 7, last: 8, parts: 1 }],
      [3, { first: 12, last: 12, parts: 1 }]
    ])
  )
})

test('what waiting spans refer to is marked, and nothing else', () => {
  const { assembler } = tellStory()
  const span = {
    trace: 1,
    name: 11,
    operation: 12,
    scope: 13,
    resource: 3,
    kind: Kind.server,
    flags: SpanFlag.requestLike
  }
  assembler.consume(
    batchOf([
      {
        ...span,
        id: 1,
        evidence: [
          [Evidence.firstWanted, 14, 0],
          [17, 0.5, 0],
          [17, -3, 0]
        ]
      }
    ]),
    0
  )
  const marked = (): { strings: number[]; resources: number[] } => {
    const marks = { strings: new Uint8Array(32), resources: new Uint8Array(8) }
    assembler.mark(marks)
    const set = (bytes: Uint8Array): number[] => [...bytes.keys()].filter((id) => bytes[id] === 1)
    return { strings: set(marks.strings), resources: set(marks.resources) }
  }
  expect(marked()).toEqual({ strings: [11, 12, 13, 14], resources: [3] })
  assembler.shutdown(0)
  expect(marked()).toEqual({ strings: [], resources: [] })
})

test('a fresh assembler holds under 1 MiB, and one with spans at most 200 bytes for each', () => {
  const { assembler } = tellStory()
  const total = (): number => Object.values(assembler.memory()).reduce((sum, bytes) => sum + bytes, 0)
  expect(total()).toBeLessThan(2 ** 20)
  const before = total()
  for (let trace = 0; trace < 20_000; trace++) {
    assembler.consume(
      batchOf([
        { trace, id: 1 },
        { trace, id: 2 },
        { trace, id: 3 },
        { trace, id: 4 }
      ]),
      0
    )
  }
  expect((total() - before) / 80_000).toBeLessThan(200)
})
