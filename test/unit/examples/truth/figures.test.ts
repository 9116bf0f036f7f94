import { expect, test } from '@jest/globals'
import {
  type Figures,
  figuresOf,
  noTally,
  type RequestSample,
  type Sample,
  sumOf,
  tallyRequests,
  tallyTraces
} from '../../../../examples/shop/truth/figures.ts'
import { noTimes, type PhaseTimes } from '../../../../examples/shop/truth/phase-times.ts'
import { phases } from '../../../../src/model/phases.ts'

type Some = Partial<PhaseTimes>

const times = (some: Some): PhaseTimes => ({ ...noTimes(), ...some })
const total = (some: Some): number => Object.values(some).reduce((sum, ns) => sum + ns, 0)

interface Request {
  readonly truth: Some
  readonly told?: Some
  readonly measured?: Some
  readonly band?: string
  readonly isOk?: boolean
}

function sample({ truth, told = truth, measured = {}, band = 'gt_p99', isOk = true }: Request): RequestSample {
  return {
    operation: 'shop buy',
    band,
    isOk,
    durationNs: total(truth),
    told: times(told),
    truth: times(truth),
    measured: times(measured)
  }
}

const body = (some: Some = { processing: 10 }): Request => ({ truth: some, band: 'le_p50' })

function figures(requests: readonly Request[]): Figures {
  const tally = noTally()
  tallyRequests(tally, requests.map(sample))
  return figuresOf(tally)
}

test('who tells the truth: every cause right, no phase error, all attributed, no false certainty', () => {
  const slow = phases
    .filter((phase) => phase !== 'network' && phase !== 'unattributed')
    .map((phase) => ({ truth: { processing: 10, [phase]: 100 } }))
  const all = figures([body(), ...slow.map((one) => ({ ...one, measured: one.truth }))])
  expect(all).toMatchObject({
    localCause: 1,
    localCauses: 5,
    phaseErrorTail: 0,
    phaseError: 0,
    attributed: 1,
    attributable: 1,
    attributedOfCaused: 1,
    falseCertainty: 0,
    falseOfTail: 0,
    tailRequests: 6
  })
})

test('who leaves everything unattributed: nothing attributed, no false certainty, no cause right but the unknowable', () => {
  const unknown = (truth: Some): Request => ({ truth, told: { unattributed: total(truth) } })
  const all = figures([
    { ...body(), told: { unattributed: 10 } },
    unknown({ processing: 10, queue_wait: 90 }),
    unknown({ processing: 10, gc: 90 })
  ])
  expect(all).toMatchObject({
    localCause: 0,
    attributed: 0,
    attributable: 1,
    attributedOfCaused: 0,
    falseCertainty: 0,
    phaseErrorTail: 1
  })
  const sleeping = figures([body(), { truth: { processing: 10, unattributed: 90 } }])
  expect(sleeping).toMatchObject({
    localCause: 1,
    attributed: 0,
    attributable: 0,
    attributedOfCaused: NaN,
    phaseErrorTail: 0
  })
})

test('the cause is that of the excess, not of the whole: what the body has as well explains nothing', () => {
  const all = figures([
    body({ processing: 100, queue_wait: 1 }),
    { truth: { processing: 105, queue_wait: 60 }, told: { processing: 100, queue_wait: 65 } }
  ])
  expect(all.localCause).toBe(1)
  expect(all.phaseErrorTail).toBeCloseTo(5 / 165)
})

test('requests that truly waited for a peer are no local cause, whatever is said of them', () => {
  const all = figures([body(), { truth: { processing: 10, downstream: 90 }, told: { processing: 100 } }])
  expect(all).toMatchObject({ localCauses: 0, localCause: NaN, tailRequests: 1, phaseErrorTail: 0.9 })
})

test('misplaced time counts once, as a share of each request, and requests weigh alike', () => {
  const all = figures([
    { truth: { processing: 10 }, told: { gc: 10 }, band: 'p50_p95' },
    { truth: { processing: 500, gc: 500 }, told: { processing: 750, gc: 250 } }
  ])
  expect(all.phaseError).toBeCloseTo((1 + 0.25) / 2)
  expect(all.phaseErrorTail).toBeCloseTo(0.25)
})

test('false certainty is measured time that did not happen; more than was measured is no lie', () => {
  const promised = (measured: Some): Figures =>
    figures([body(), { truth: { processing: 10, queue_wait: 90 }, measured }])
  expect(promised({ queue_wait: 50 })).toMatchObject({ falseCertainty: 0, falseOfTail: 0 })
  expect(promised({ queue_wait: 90, scheduling: 10 })).toMatchObject({ falseCertainty: 0.1, falseOfTail: 0.1 })
  expect(promised({ scheduling: 10 })).toMatchObject({ falseCertainty: 1, falseOfTail: 0.1 })
})

test('failures are no part of the body, but of the tail; another operation has a body of its own', () => {
  const failed = { truth: { processing: 1 }, band: 'le_p50', isOk: false }
  const slow = { truth: { processing: 100 } }
  expect(figures([failed, slow]).localCauses).toBe(0)
  expect(figures([failed, body(), { ...slow, isOk: false }]).localCauses).toBe(1)
  const tally = noTally()
  tallyRequests(tally, [sample(slow), { ...sample(body()), operation: 'shop sell' }])
  expect(tally.causes.size).toBe(0)
})

test('a whole trace is right when the largest excess of blame is the true one, service and phase', () => {
  const trace = (band: string, truth: Record<string, number>, told = truth): Sample<string> => ({
    operation: 'shop buy',
    band,
    isOk: true,
    told: new Map(Object.entries(told)),
    truth: new Map(Object.entries(truth))
  })
  const tally = noTally()
  tallyTraces(tally, [
    trace('le_p50', { 'a processing': 50, 'b processing': 10 }),
    trace('gt_p99', { 'a processing': 50, 'b gc': 40 }),
    trace('gt_p99', { 'a processing': 50, 'b gc': 40 }, { 'a processing': 50, 'a gc': 40 }),
    trace('gt_p99', { 'a processing': 50, 'b gc': 40 }, { 'a processing': 50, 'b scheduling': 40 }),
    trace('p95_p99', { 'b gc': 40 })
  ])
  expect(tally.traces).toBe(5)
  expect([...tally.culprits]).toEqual([
    ['b gc>b gc', 1],
    ['b gc>a gc', 1],
    ['b gc>b scheduling', 1]
  ])
  expect(figuresOf(tally)).toMatchObject({ slowTraces: 3, traceCause: 1 / 3 })
})

test('recordings put together are as one with the requests of all', () => {
  const tallies = [1, 2].map((n) => {
    const tally = noTally()
    tallyRequests(tally, [body(), { truth: { gc: 100 * n, processing: 10 }, told: { gc: 100 * n + 10 } }].map(sample))
    return tally
  })
  const sum = sumOf(tallies)
  expect(sum).toMatchObject({ requests: 4, tailRequests: 2, tailNs: 320 })
  expect([...sum.causes]).toEqual([['gc>gc', 2]])
  expect(figuresOf(sum).phaseErrorTail).toBeCloseTo((10 / 110 + 10 / 210) / 2)
})
