import { expect, test } from '@jest/globals'
import { metricRequests, traceRequests, truthLines } from '../../builders/simulated-otlp.ts'
import { type Interval, type SimulatedSpan } from '../../builders/simulated-process.ts'
import { simulatedCauses, simulateShop, type SimulatedCause } from '../../builders/simulated-shop.ts'

const causes = Object.keys(simulatedCauses) as SimulatedCause[]

/** Its interval minus the union of its children in the same process. */
function selfTime(span: SimulatedSpan, spans: readonly SimulatedSpan[]): Interval[] {
  const children = spans
    .filter(
      (child) => child.parent === span && child.process.service === span.process.service && child.endNs > child.startNs
    )
    .sort((a, b) => a.startNs - b.startNs)
  const self: Interval[] = []
  let atNs = span.startNs
  for (const { startNs, endNs } of children) {
    if (startNs > atNs) self.push({ fromNs: atNs, toNs: startNs })
    atNs = Math.max(atNs, endNs)
  }
  if (span.endNs > atNs) self.push({ fromNs: atNs, toNs: span.endNs })
  return self
}

const length = (intervals: readonly Interval[]): number =>
  intervals.reduce((ns, { fromNs, toNs }) => ns + toNs - fromNs, 0)

test.each(causes)('%s: what happened tiles the self time of every span, and children lie within', (cause) => {
  const { spans } = simulateShop({ cause, seed: 11, seconds: 2, waitSpans: true })
  expect(spans.length).toBeGreaterThan(2_000)
  const traces = Map.groupBy(spans, ({ traceId }) => traceId)
  const wrong = spans.filter((span) => {
    const { pieces, parent, startNs, endNs } = span
    const self = selfTime(span, traces.get(span.traceId) ?? [])
    const inside = pieces.every((piece) => self.some((own) => own.fromNs <= piece.fromNs && piece.toNs <= own.toNs))
    const nested = parent === undefined || (startNs >= parent.startNs && endNs <= parent.endNs)
    return length(pieces) !== length(self) || !inside || !nested
  })
  expect(wrong).toEqual([])
})

test('the same seed gives the same shop, another one does not', () => {
  const bytes = (seed: number): string =>
    JSON.stringify(traceRequests(simulateShop({ cause: 'queue', seed, seconds: 1 })))
  expect(bytes(1)).toBe(bytes(1))
  expect(bytes(1)).not.toBe(bytes(2))
})

test.each([
  ['queue', 'queue_wait'],
  ['stall', 'scheduling'],
  ['gc', 'gc'],
  ['slow-database', 'downstream'],
  ['lone-work', 'processing'],
  ['lone-sleep', 'unattributed'],
  ['rust-work', 'processing'],
  ['rust-sleep', 'unattributed'],
  ['held-connections', 'queue_wait'],
  ['slow-handover', 'processing'],
  ['late-caller', 'scheduling']
] as const)('%s makes its service lose time to %s', (cause, phase) => {
  const total = (of: SimulatedCause): number => {
    const lines = truthLines(simulateShop({ cause: of, seed: 5, seconds: 5 }))
    return lines.reduce((ns, { self, before }) => ns + self[phase] + (before?.[phase] ?? 0), 0)
  }
  expect(total(cause) - total('none')).toBeGreaterThan(100e6)
})

test('no more than four requests of inventory are served at once, first come, first served', () => {
  const { spans } = simulateShop({ cause: 'queue', seed: 3, seconds: 5 })
  const queries = spans.filter(({ name }) => name === 'SELECT stock').sort((a, b) => a.startNs - b.startNs)
  const most = queries.map(({ startNs }) => queries.filter((q) => q.startNs <= startNs && q.endNs > startNs).length)
  expect(Math.max(...most)).toBe(4)
  const waits = spans.flatMap(({ pieces }) => pieces.filter(({ phase }) => phase === 'queue_wait'))
  const starts = waits.sort((a, b) => a.fromNs - b.fromNs).map(({ toNs }) => toNs)
  expect(starts).toEqual(starts.toSorted((a, b) => a - b))
})

test('metrics of a process that collects show it, and the scheduling delay is the true one', () => {
  const text = (cause: SimulatedCause): string =>
    JSON.stringify(metricRequests(simulateShop({ cause, seed: 1, seconds: 3 })))
  expect(text('gc')).toContain('"asInt":"400000000"')
  expect(text('stall')).not.toContain('"asInt":"400000000"')
  const shop = simulateShop({ cause: 'stall', seed: 1, seconds: 3 })
  const truth = truthLines(shop).reduce((ns, { self, before }) => ns + self.scheduling + (before?.scheduling ?? 0), 0)
  const sums = [...JSON.stringify(metricRequests(shop)).matchAll(/"sum":([\d.e-]+)/g)].map(([, sum]) => Number(sum))
  expect(Math.max(...sums)).toBeCloseTo(truth / 1e9, 6)
})
