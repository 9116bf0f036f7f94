import { expect, test } from '@jest/globals'
import { pathWithin } from '../../../../examples/shop/truth/path.ts'
import { noTimes, type PhaseTimes } from '../../../../examples/shop/truth/phase-times.ts'
import { type Span, spanKey } from '../../../../examples/shop/truth/spans.ts'
import { trueBlame } from '../../../../examples/shop/truth/true-blame.ts'
import { createTrueTimes } from '../../../../examples/shop/truth/true-times.ts'
import { type PlacedTruth, type SpanTruth } from '../../../../examples/shop/truth/truth-files.ts'
import { Kind } from '../../../../src/model/spans.ts'

type Some = Partial<PhaseTimes>
interface Drawn {
  readonly at: readonly [number, number]
  readonly under?: string
  readonly kind?: keyof typeof Kind
  readonly self?: Some
  readonly before?: Some
  readonly placed?: readonly PlacedTruth[]
  /** Service; the entry span of a request there. */
  readonly entry?: string
}

const TRACE = 'trace'

function draw(drawn: Readonly<Record<string, Drawn>>) {
  const spans = new Map<string, Span>()
  const truth = new Map<string, SpanTruth>()
  for (const [name, { at, under, kind = 'internal', self, before, placed = [] }] of Object.entries(drawn)) {
    const parent = under === undefined ? undefined : spans.get(under)
    const span: Span = {
      traceId: TRACE,
      spanId: name,
      parentId: under ?? '',
      service: '',
      process: '',
      name,
      kind: Kind[kind],
      startNs: at[0],
      endNs: at[1],
      children: [],
      parent
    }
    parent?.children.push(span)
    spans.set(name, span)
    if (self === undefined) continue
    const times = (some: Some | undefined) => (some === undefined ? undefined : { ...noTimes(), ...some })
    truth.set(spanKey(TRACE, name), { self: { ...noTimes(), ...self }, before: times(before), placed })
  }
  const isEntry = (span: Span): boolean => drawn[span.spanId]?.entry !== undefined
  const span = (name: string): Span => spans.get(name) as Span
  return { span, truth, isEntry, times: createTrueTimes(truth, isEntry) }
}

const only = (times: PhaseTimes): Some => Object.fromEntries(Object.entries(times).filter(([, ns]) => ns !== 0))

test('a request is the sum of what its spans did on the path; what ran beside it does not count', () => {
  //  root    |===                 ==|
  //  step       |======|
  //  beside     |===|
  //  call              |============|
  const { span, times } = draw({
    root: { at: [0, 100], entry: 'a', self: { processing: 15 } },
    step: { at: [10, 40], under: 'root', self: { gc: 10, processing: 20 } },
    beside: { at: [10, 30], under: 'root', self: { unattributed: 20 } },
    call: { at: [40, 95], under: 'root', kind: 'client', self: { downstream: 50, scheduling: 5 } }
  })
  const { times: truth, unknownNs } = times.ofRequest(span('root'))
  expect(only(truth)).toEqual({ processing: 35, gc: 10, downstream: 50, scheduling: 5 })
  expect(unknownNs).toBe(0)
})

test('own time that is only in part on the path: cut by interval where truth has them, else scaled', () => {
  const trunk = {
    root: { at: [0, 100], entry: 'a', self: { processing: 20 } },
    // Overlaps `late` too much to be before it: on the path only until 60.
    early: { at: [0, 80], under: 'root', self: { gc: 40, processing: 40 } },
    late: { at: [60, 80.5], under: 'root', self: { queue_wait: 20.5 } }
  } as const
  const scaled = draw(trunk)
  expect(only(scaled.times.ofSections([{ span: scaled.span('early'), fromNs: 0, toNs: 60 }]).times)).toEqual({
    gc: 30,
    processing: 30
  })
  const placed = draw({ ...trunk, early: { ...trunk.early, placed: [{ phase: 'gc', fromNs: 40, toNs: 80 }] } })
  expect(only(placed.times.ofSections([{ span: placed.span('early'), fromNs: 0, toNs: 60 }]).times)).toEqual({
    gc: 20,
    processing: 40
  })
})

test('a section that a child off the path covers went to what the child did, waiting first', () => {
  //  root   |=========          |      `first` ends while `second`, which began later and ends last, is on the path
  //  first   |=======|
  //  second       |=============|
  const { span, times, isEntry } = draw({
    root: { at: [0, 100], entry: 'a', self: { processing: 10 } },
    first: { at: [10, 60], under: 'root', kind: 'client', self: { downstream: 50 } },
    second: { at: [40, 100], under: 'root', self: { gc: 60 } }
  })
  expect(
    pathWithin(span('root'), { fromNs: 0, toNs: 100 }, isEntry).map((section) => [
      section.span.name,
      section.fromNs,
      section.toNs
    ])
  ).toEqual([
    ['root', 0, 40],
    ['second', 40, 100]
  ])
  expect(only(times.ofRequest(span('root')).times)).toEqual({ processing: 10, downstream: 30, gc: 60 })
})

test('time of spans without truth is unknown, and nothing is made up for it', () => {
  const { span, times } = draw({
    root: { at: [0, 100], entry: 'a', self: { processing: 60 } },
    step: { at: [30, 70], under: 'root' }
  })
  expect(times.ofRequest(span('root'))).toEqual({ times: { ...noTimes(), processing: 60 }, unknownNs: 40 })
})

function blameOf(drawn: Readonly<Record<string, Drawn>>, path: readonly (readonly [string, number, number])[]) {
  const { span, truth, isEntry, times } = draw(drawn)
  const entryOf = (of: Span): Span => (isEntry(of) || of.parent === undefined ? of : entryOf(of.parent))
  const trace = {
    trace_id: TRACE,
    root: { span_id: 'root' },
    critical_path: path.map(([name, from, to]) => ({
      span_id: name,
      start_unix_nano: String(from),
      end_unix_nano: String(to)
    })),
    blame: [],
    requests: []
  }
  const { blame, unknownNs } = trueBlame(trace, {
    baseNs: 0n,
    truth,
    times,
    spanOf: (_, id) => span(id),
    entryOf,
    serviceOf: (entry) => drawn[entry.spanId]?.entry ?? ''
  })
  expect(unknownNs).toBe(0)
  return Object.fromEntries([...blame].map(([service, of]) => [service, only(of)]))
}

const call = {
  root: { at: [0, 100], entry: 'a', self: { processing: 20 } },
  call: { at: [10, 90], under: 'root', kind: 'client', self: { downstream: 73, scheduling: 7 } },
  server: { at: [30, 80], under: 'call', kind: 'server', entry: 'b', self: { gc: 50 }, before: { scheduling: 5 } }
} as const

test("blame: the gaps around an answer are the caller's lateness, then the callee's, then the wire", () => {
  expect(
    blameOf(call, [
      ['root', 0, 10],
      ['call', 10, 30],
      ['server', 30, 80],
      ['call', 80, 90],
      ['root', 90, 100]
    ])
  ).toEqual({ a: { processing: 20, scheduling: 7, downstream: 18 }, b: { scheduling: 5, gc: 50 } })
})

test('blame: truth on a clock that analyze corrected is still placed where it belongs', () => {
  const placed = [{ phase: 'gc', fromNs: 1010, toNs: 1030 }] as const
  const server = { ...call.server, at: [1010, 1060], self: { gc: 20, processing: 30 }, placed } as const
  // On the root's clock the server ran from 30 to 80; of it, only what came before 50 is on the path here.
  expect(blameOf({ ...call, server }, [['server', 30, 50]])).toEqual({ b: { gc: 20 } })
})
