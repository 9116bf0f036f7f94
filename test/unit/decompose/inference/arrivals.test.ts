import { expect, test } from '@jest/globals'
import { type Arrival, createArrivals } from '../../../../src/decompose/judge/inference/arrivals.ts'
import { createServers } from '../../../../src/decompose/learned/servers.ts'
import { Around, createSpreads } from '../../../../src/decompose/learned/spreads.ts'
import { createSharedMemory } from '../../../../src/runtime/shared-memory.ts'
import { wholeNumbers } from '../../../builders/whole-numbers.ts'

const PROCESS = 5
const SERVICE = 6
const REQUEST = 7
const JOB = 8
const MS = 1e6
/** Of a request, before its first call and in it. */
const LEAD_NS = 0.3 * MS
const CALL_NS = 0.2 * MS

interface Served {
  readonly arrival: Arrival
  readonly waitedNs: number
}

/** Now and then a batch of jobs comes, each seen only while it is served; without `servers` nobody waits for anybody. */
function traffic(servers: number, { sleeping = false } = {}): Served[] {
  const below = wholeNumbers(3)
  const freeNs = new Float64Array(servers)
  const served: Served[] = []
  const serve = (operation: number, atNs: number, heldNs: number): void => {
    const server = freeNs.indexOf(Math.min(...freeNs))
    const startNs = servers === 0 ? atNs : Math.max(atNs, freeNs[server] as number)
    if (servers > 0) freeNs[server] = startNs + heldNs
    const called = operation === REQUEST
    const firstCallNs = called ? startNs + heldNs - CALL_NS : Infinity
    served.push({
      arrival: {
        process: PROCESS,
        service: SERVICE,
        operation,
        fromNs: called ? atNs : startNs,
        toNs: startNs + heldNs,
        firstCallNs,
        lastEndNs: called ? startNs + heldNs : startNs
      },
      waitedNs: startNs - atNs
    })
  }
  let nowNs = 0
  for (let i = 0; i < 4000; i++) {
    nowNs += 0.5 * MS + below(2 * MS)
    if (i % 200 === 0) for (let job = 0; job < 24; job++) serve(JOB, nowNs, 8 * MS + below(4 * MS))
    const asleepNs = sleeping && i % 200 > 100 && i % 200 < 140 ? 10 * MS + below(20 * MS) : 0
    serve(REQUEST, nowNs, LEAD_NS + asleepNs + CALL_NS)
  }
  return served
}

function learnFrom(served: readonly Served[]) {
  const memory = createSharedMemory()
  const servers = createServers({ rowsMax: 16, memory })
  const sharedServers = createServers({ rowsMax: 16, memory, contradictedMax: 0.2 })
  const spreads = createSpreads({ piecesMin: 20, rowsMax: 16, memory })
  for (let i = 0; i < 100; i++) spreads.learn(SERVICE, REQUEST, 0, Around.call, LEAD_NS)
  spreads.publish()
  const arrivals = createArrivals(
    { rowsMax: 1 << 14, memory, pushedOut: () => undefined },
    { servers, sharedServers, spreads }
  )
  for (const { arrival } of served) arrivals.add(arrival)
  arrivals.teach(true)
  sharedServers.publish()
  return { arrivals, count: sharedServers.count(PROCESS, REQUEST) }
}

test.each([4, 8, 16])(
  'requests that wait while a batch holds %d servers, which is seen only once it is served',
  (k) => {
    const served = traffic(k)
    const { arrivals, count } = learnFrom(served)
    // The fewest that explain it, up to what may contradict them.
    expect(count).toBeLessThanOrEqual(k)
    expect(count).toBeGreaterThanOrEqual(0.9 * k)
    let waiting = 0
    let sumNs = 0
    let toldSumNs = 0
    for (const { arrival, waitedNs } of served) {
      if (arrival.operation !== REQUEST) continue
      const toldNs = Math.max(0, arrivals.sharedTurnNs(arrival) - arrival.fromNs)
      expect(toldNs).toBeLessThanOrEqual(waitedNs + LEAD_NS)
      if (waitedNs < 5 * MS) continue
      waiting += 1
      sumNs += waitedNs
      toldSumNs += toldNs
    }
    expect(waiting).toBeGreaterThan(20)
    // Once the batch is done, those still in line wait for servers of which nothing is seen yet: their last moments are missed.
    expect(toldSumNs / sumNs).toBeGreaterThan(0.85)
  }
)

test.each([{ sleeping: false }, { sleeping: true }])('no servers where nobody waits for a batch, %p', (options) => {
  expect(learnFrom(traffic(0, options)).count).toBe(0)
})
