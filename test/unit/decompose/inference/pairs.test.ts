import { expect, test } from '@jest/globals'
import { phases, type PhaseName } from '../../../../src/model/phases.ts'
import { judgeShop, type JudgedRequest, meanMs, tailOf } from '../../../builders/inferred-shop.ts'
import { type SimulatedCause } from '../../../builders/simulated-shop.ts'

/**
 * Every rule in pairs: the trouble that it should find, and the trouble that looks like it. Seeds are fixed; the shop's truth is
 * known to the nanosecond.
 */
const SECONDS = 12

const shops = new Map<string, JudgedRequest[]>()
function judged(cause: SimulatedCause, without: readonly string[] = []): JudgedRequest[] {
  const key = `${cause} ${without.join()}`
  const known = shops.get(key) ?? judgeShop({ cause, seed: 21, seconds: SECONDS, without })
  shops.set(key, known)
  return known
}

/** Mean ms of a phase over a service's slowest requests: what was said, and what was true. */
function tail(cause: SimulatedCause, service: string, phase: PhaseName, without: readonly string[] = []) {
  const slowest = tailOf(judged(cause, without), service)
  return { said: meanMs(slowest, 'said')[phase], true: meanMs(slowest, 'truth')[phase] }
}

test('a queue is found and its wait placed; without the rule nothing proves it', () => {
  const wait = tail('queue', 'inventory', 'queue_wait')
  expect(wait.true).toBeGreaterThan(20)
  expect(wait.said).toBeGreaterThan(0.95 * wait.true)
  expect(wait.said).toBeLessThan(1.02 * wait.true)
  expect(tail('queue', 'inventory', 'queue_wait', ['queue', 'shared_queue']).said).toBe(0)
})

test('a slow database is no stall: who waits for its worker waits in the queue, who has one waits for the database', () => {
  for (const phase of ['queue_wait', 'downstream'] as const) {
    const { said, true: really } = tail('slow-database', 'inventory', phase)
    expect(said).toBeGreaterThan(0.95 * really)
    expect(said).toBeLessThan(1.05 * really)
  }
  expect(tail('slow-database', 'inventory', 'scheduling').said).toBe(0)
})

test('a stall is scheduling of the requests that were open, and no queue', () => {
  const stalled = judged('stall').filter(
    ({ service, truth }) => service === 'inventory' && truth.scheduling > 15e6 && truth.queue_wait < 1e6
  )
  expect(stalled.length).toBeGreaterThan(3)
  const said = meanMs(stalled, 'said')
  expect(said.scheduling).toBeGreaterThan(0.5 * meanMs(stalled, 'truth').scheduling)
  expect(said.queue_wait).toBeLessThan(1)
  const without = meanMs(
    judged('stall', ['silence', 'neighbours']).filter(({ service }) => service === 'inventory'),
    'said'
  )
  expect(without.scheduling).toBe(0)
})

test('the same stall of a process that collects half of the time is gc, of every other none', () => {
  const tailSaid = (cause: SimulatedCause) => meanMs(tailOf(judged(cause), 'inventory', 0.05), 'said')
  expect(tailSaid('gc').gc).toBeGreaterThan(0)
  expect(tailSaid('gc').scheduling).toBe(0)
  expect(tailSaid('stall').gc).toBe(0)
  expect(
    meanMs(
      judged('gc').filter(({ service }) => service !== 'inventory'),
      'said'
    ).gc
  ).toBe(0)
})

test.each(['lone-work', 'lone-sleep'] as const)('%s: what is slow alone stays unattributed', (cause) => {
  const slowest = tailOf(judged(cause), 'inventory')
  const said = meanMs(slowest, 'said')
  const truth = meanMs(slowest, 'truth')
  const alone = cause === 'lone-work' ? truth.processing : truth.unattributed
  expect(alone).toBeGreaterThan(15)
  expect(said.unattributed).toBeGreaterThan(0.9 * (alone - 1))
  expect(said.scheduling + said.gc).toBeLessThan(0.05 * alone)
})

test('a Rust sleep is unattributed, Rust work is what busy_ns says', () => {
  const slept = tail('rust-sleep', 'pricing', 'unattributed')
  expect(slept.said).toBeGreaterThan(0.95 * slept.true)
  const worked = tail('rust-work', 'pricing', 'processing')
  expect(worked.said).toBeGreaterThan(0.95 * worked.true)
})

test('who waits for what one holder gives back to all waits in a queue; without the rule nothing proves it', () => {
  const wait = tail('held-connections', 'pricing', 'queue_wait')
  expect(wait.true).toBeGreaterThan(20)
  expect(wait.said).toBeGreaterThan(0.8 * wait.true)
  expect(wait.said).toBeLessThan(1.02 * wait.true)
  expect(tail('held-connections', 'pricing', 'queue_wait', ['released', 'shared_queue']).said).toBe(0)
  expect(tail('rust-sleep', 'pricing', 'queue_wait').said).toBe(0)
})

test('a slow call into another language of the process ran; without the rule nothing proves it', () => {
  const ran = tail('slow-handover', 'gateway', 'processing')
  expect(ran.true).toBeGreaterThan(15)
  expect(ran.said).toBeGreaterThan(0.95 * ran.true)
  expect(ran.said).toBeLessThan(1.02 * ran.true)
  expect(tail('slow-handover', 'gateway', 'processing', ['handover']).said).toBeLessThan(0.2 * ran.true)
})

test('a tokio caller that notices answers late loses it to scheduling; without the rule it is the network', () => {
  const late = tail('late-caller', 'pricing', 'scheduling')
  expect(late.true).toBeGreaterThan(15)
  expect(late.said).toBeGreaterThan(0.95 * late.true)
  expect(late.said).toBeLessThan(1.05 * late.true)
  const rules = ['answer_gap', 'silence', 'neighbours']
  expect(tail('late-caller', 'pricing', 'scheduling', rules).said).toBe(0)
  expect(tail('late-caller', 'pricing', 'network', rules).said).toBeGreaterThan(0.9 * late.true)
})

test('a process that says how late a wake-up may have been lost that to scheduling, but no more than the call was longer than usual', () => {
  const lateOf = (unwatchedSlackNs: number, rules: readonly string[] = []) => {
    const without = ['answer_gap', 'silence', 'neighbours', ...rules]
    const requests = judgeShop({ cause: 'late-caller', seed: 21, seconds: SECONDS, without, unwatchedSlackNs })
    const slowest = tailOf(requests, 'pricing')
    return { said: meanMs(slowest, 'said').scheduling, true: meanMs(slowest, 'truth').scheduling }
  }
  for (const slackNs of [0, 100e6]) {
    const late = lateOf(slackNs)
    expect(late.true).toBeGreaterThan(15)
    expect(late.said).toBeGreaterThan(0.95 * late.true)
    expect(late.said).toBeLessThan(1.05 * late.true)
  }
  expect(lateOf(0, ['unwatched']).said).toBe(0)
})

test('of a process that accounts for its calls only what it says itself is believed', () => {
  const lateOf = (unwatchedSlackNs?: number) => {
    const slack = unwatchedSlackNs === undefined ? {} : { unwatchedSlackNs }
    const requests = judgeShop({
      cause: 'late-caller',
      seed: 21,
      seconds: SECONDS,
      without: [],
      accounts: true,
      ...slack
    })
    const slowest = tailOf(requests, 'pricing')
    return { said: meanMs(slowest, 'said').scheduling, true: meanMs(slowest, 'truth').scheduling }
  }
  expect(lateOf().said).toBe(0)
  expect(lateOf(0).said).toBeGreaterThan(0.95 * lateOf(0).true)
})

test('a callee that stands still is blamed for the gap before its spans; without the rule the network is', () => {
  const blame = (without: string[]): Map<string, number> => {
    const blamed = new Map<string, number>()
    judgeShop({ cause: 'stall', seed: 21, seconds: SECONDS, without }, blamed)
    return blamed
  }
  const with_ = blame([])
  const without = blame(['callee_gap'])
  const late = (with_.get('inventory scheduling') ?? 0) - (without.get('inventory scheduling') ?? 0)
  expect(late).toBeGreaterThan(100e6)
  expect((without.get('gateway network') ?? 0) - (with_.get('gateway network') ?? 0)).toBe(late)
})

test('a callee that says how late its requests may have begun is blamed for that; without the rule the network is', () => {
  const blame = (rules: string[]): number => {
    const blamed = new Map<string, number>()
    const without = ['callee_gap', 'silence', 'neighbours', ...rules]
    judgeShop({ cause: 'stall', seed: 21, seconds: SECONDS, without, unwatchedSlackNs: 0 }, blamed)
    return blamed.get('inventory scheduling') ?? 0
  }
  expect(blame(['unwatched'])).toBe(0)
  expect(blame([])).toBeGreaterThan(100e6)
})

test.each(['none', 'rust-work', 'rust-sleep'] as const)(
  '%s: a Go service that nothing disturbs is never stalled',
  (cause) => {
    for (const service of ['gateway', 'inventory', 'rates']) {
      const said = meanMs(
        judged(cause).filter((request) => request.service === service),
        'said'
      )
      expect(said.scheduling + said.gc).toBeLessThan(0.02)
    }
  }
)

test('within its spread own time is processing; without the rule only the median is', () => {
  expect(tail('none', 'rates', 'unattributed').said).toBe(0)
  expect(tail('none', 'rates', 'unattributed', ['spread']).said).toBeGreaterThan(0.05)
})

test('nothing that was inferred is called measured, and every request adds up', () => {
  for (const cause of ['queue', 'stall', 'gc', 'late-caller'] as const) {
    for (const { said, durationNs, measured } of judged(cause)) {
      expect(phases.reduce((sum, phase) => sum + said[phase], 0)).toBe(durationNs)
      expect(measured.queue_wait + measured.scheduling + measured.gc + measured.processing).toBe(0)
    }
  }
})

test('the order of the files does not matter', () => {
  const options = { cause: 'queue', seed: 4, seconds: 4 } as const
  const inOrder = judgeShop(options)
  const backwards = judgeShop({ ...options, order: (n) => Array.from({ length: n }, (_, i) => n - 1 - i) })
  expect(backwards.map(({ said }) => said)).toEqual(inOrder.map(({ said }) => said))
})
