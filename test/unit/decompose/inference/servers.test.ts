import { expect, test } from '@jest/globals'
import { createServers } from '../../../../src/decompose/learned/servers.ts'
import { createSharedMemory } from '../../../../src/runtime/shared-memory.ts'
import { wholeNumbers } from '../../../builders/whole-numbers.ts'

const PROCESS = 5
const OPERATION = 6

/** Arrivals at a FIFO queue with k servers, each with who was ahead and still held one; `early` of them do not wait. */
function teach(
  servers: ReturnType<typeof createServers>,
  k: number,
  { arrivals = 2000, early = 0, seed = 1 } = {}
): void {
  const below = wholeNumbers(seed)
  const freeNs = new Float64Array(k)
  let releases: number[] = []
  let nowNs = 0
  for (let i = 0; i < arrivals; i++) {
    nowNs += below(2_000 / k)
    releases = releases.filter((ns) => ns > nowNs).sort((a, b) => a - b)
    const server = freeNs.indexOf(Math.min(...freeNs))
    const startNs = Math.max(nowNs, freeNs[server] ?? 0)
    freeNs[server] = startNs + 500 + below(1_000)
    const told = below(1000) < early ? nowNs : startNs
    servers.learn(PROCESS, OPERATION, told + 1, Float64Array.from(releases), releases.length)
    releases.push(freeNs[server])
  }
}

test.each([1, 2, 4, 16])('finds that there are %d servers, once it is published', (k) => {
  const servers = createServers({ rowsMax: 16, memory: createSharedMemory() })
  teach(servers, k)
  expect(servers.count(PROCESS, OPERATION)).toBe(0)
  servers.publish()
  expect(servers.count(PROCESS, OPERATION)).toBe(k)
})

test('a few contradictions blur it, many deny it', () => {
  const few = createServers({ rowsMax: 16, memory: createSharedMemory() })
  teach(few, 2, { early: 20 })
  few.publish()
  expect(few.count(PROCESS, OPERATION)).toBe(2)
  const many = createServers({ rowsMax: 16, memory: createSharedMemory() })
  teach(many, 2, { early: 300 })
  many.publish()
  expect(many.count(PROCESS, OPERATION)).not.toBe(2)
})

test('no queue where requests never wait for each other', () => {
  const servers = createServers({ rowsMax: 16, memory: createSharedMemory() })
  const below = wholeNumbers(3)
  for (let i = 0; i < 3000; i++) {
    const ahead = Float64Array.from({ length: below(8) }, () => 100 + below(1000)).sort()
    servers.learn(PROCESS, OPERATION, 50, ahead, ahead.length)
  }
  servers.publish()
  expect(servers.count(PROCESS, OPERATION)).toBe(0)
})

test('a pool that grew is found again', () => {
  const servers = createServers({ rowsMax: 16, memory: createSharedMemory() })
  teach(servers, 2)
  servers.publish()
  expect(servers.count(PROCESS, OPERATION)).toBe(2)
  teach(servers, 4, { arrivals: 30_000, seed: 2 })
  servers.publish()
  expect(servers.count(PROCESS, OPERATION)).toBe(4)
})

test('an operation that makes no calls is not worth watching', () => {
  const servers = createServers({ rowsMax: 16, memory: createSharedMemory() })
  expect(servers.worthWatching(PROCESS, OPERATION)).toBe(true)
  for (let i = 0; i < 200; i++) servers.learn(PROCESS, OPERATION, Infinity, new Float64Array(0), 0)
  expect(servers.worthWatching(PROCESS, OPERATION)).toBe(false)
})

test('what was loaded counts until something else is learned', () => {
  const servers = createServers({ rowsMax: 16, memory: createSharedMemory() })
  servers.set(PROCESS, OPERATION, 3)
  servers.publish()
  expect(servers.count(PROCESS, OPERATION)).toBe(3)
  teach(servers, 2)
  servers.publish()
  expect(servers.count(PROCESS, OPERATION)).toBe(2)
})

test('servers that were loaded stay while too few arrivals were seen to look for others', () => {
  const servers = createServers({ rowsMax: 10, memory: createSharedMemory() })
  servers.set(1, 2, 4)
  for (let i = 0; i < 50; i++) servers.learn(1, 2, 0, new Float64Array(0), 0)
  servers.publish()
  expect(servers.count(1, 2)).toBe(4)
})
