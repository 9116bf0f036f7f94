import { connect, type Socket } from 'node:net'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { gzipSync } from 'node:zlib'
import { expect, jest, test } from '@jest/globals'
import { type LiveService, pause, residentBytesOf, type SettingsFile, startService } from '../builders/live-service.ts'
import { wholeNumbers } from '../builders/whole-numbers.ts'
import { requestProtobuf, shopRequests } from '../builders/shop-requests.ts'
import { attribute, spanBytes, traceBody } from '../torture/senders/bodies.ts'

// Each test starts a process and fills it, on machines that may be busy.
jest.setTimeout(180_000)

const MIB = 1024 ** 2
const SPANS_A_BODY = 4_000

async function post(service: LiveService, body: Uint8Array, headers: Record<string, string> = {}): Promise<number> {
  const answer = await fetch(`http://${service.http}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', ...headers },
    body
  })
  await answer.arrayBuffer()
  return answer.status
}

/** What makes a body of spans unlike all others. */
interface Flood {
  readonly bodies: number
  readonly span: (number: number) => Uint8Array
  readonly service?: (body: number) => string
}

async function flood(service: LiveService, { bodies, span, service: name = () => 'flood' }: Flood): Promise<number[]> {
  const statuses: number[] = []
  for (let body = 0; body < bodies; body++) {
    const spans = Array.from({ length: SPANS_A_BODY }, (_, i) => span(body * SPANS_A_BODY + i))
    statuses.push(await post(service, traceBody(name(body), spans)))
  }
  return statuses
}

/** A word of letters: digits would be taken for an id in the name. */
function word(number: number): string {
  let letters = ''
  for (let left = number + 1; left > 0; left = Math.floor(left / 26)) letters += String.fromCharCode(97 + (left % 26))
  return letters
}

const open: SettingsFile = { assemble: { quiet_time: '1h', root_wait: '1h' } }
const closing: SettingsFile = { assemble: { quiet_time: '200ms', root_wait: '200ms' } }
const giantId = Buffer.alloc(16, 7)

interface Load {
  readonly name: string
  readonly settings: SettingsFile
  readonly send: (service: LiveService) => Promise<unknown>
}

const loads: readonly Load[] = [
  { name: 'nothing', settings: {}, send: () => Promise.resolve() },
  {
    name: '240,000 open spans',
    settings: open,
    async send(service) {
      for (let seed = 1; seed <= 30; seed++)
        await post(service, requestProtobuf(...shopRequests({ traces: 2000, seed })))
    }
  },
  {
    name: '500 operations with series, kept traces and history',
    settings: closing,
    send: (service) =>
      flood(service, {
        bodies: 30,
        service: (body) => `service-${word(body % 25)}`,
        span: (number) => spanBytes({ name: `operation ${word(number % 20)}` })
      })
  },
  {
    name: 'a giant trace that stays open',
    settings: open,
    send: (service) => flood(service, { bodies: 50, span: () => spanBytes({ traceId: giantId }) })
  },
  {
    name: '160,000 names',
    settings: closing,
    send: (service) =>
      flood(service, { bodies: 40, span: (number) => spanBytes({ name: `${word(number)} ${'name '.repeat(8)}` }) })
  }
]

const allLoads = [1, 2].flatMap((workers) => loads.map((load) => ({ ...load, workers })))

test.each(allLoads)('workers: $workers, $name: parts are RSS within 15 %', async ({ workers, settings, send }) => {
  const service = await startService({
    ...settings,
    workers,
    expose: { zero_first: '0s' },
    shutdown: { last_scrape_wait: '0s' }
  })
  try {
    await send(service)
    // What has just been closed is on its way.
    await pause(2_000)
    const { sum } = await service.scrape()
    const resident = residentBytesOf(service.pid).nowBytes
    const parts = sum('tail_memory_bytes')
    expect(Math.abs(parts - resident) / resident).toBeLessThan(0.15)
    // `unused` is what is missing to the whole, so it must not be much: the rest is each part's own account.
    expect(sum('tail_memory_bytes', { part: 'unused' }) / resident).toBeLessThan(0.2)
  } finally {
    expect(await service.stop()).toBe(0)
  }
})

const LIMIT_MIB = 320

interface Attack extends Load {
  /** What must have bitten: this many at least were refused or closed early. */
  readonly bites: 'refused' | 'closed' | 'nothing'
}

const attacks: readonly Attack[] = [
  {
    name: 'spans of traces that never close',
    settings: open,
    send: (service) => flood(service, { bodies: 100, span: () => spanBytes() }),
    bites: 'closed'
  },
  {
    name: 'one trace that grows for ever',
    settings: open,
    send: (service) => flood(service, { bodies: 100, span: () => spanBytes({ traceId: giantId }) }),
    bites: 'nothing'
  },
  {
    name: 'a name, a service and an attribute of its own for each span',
    settings: closing,
    send: (service) =>
      flood(service, {
        bodies: 60,
        service: (body) => `service ${word(body)}`,
        span: (number) => {
          const text = `${word(number)} ${'text '.repeat(40)}`
          return spanBytes({ name: text, more: attribute(9, `key.${word(number)}`, text) })
        }
      }),
    bites: 'nothing'
  },
  {
    name: 'gzip bombs, many at once',
    settings: closing,
    async send(service) {
      const bomb = gzipSync(Buffer.alloc(300 * MIB), { level: 1 })
      const bombs = Array.from({ length: 24 }, () => post(service, bomb, { 'content-encoding': 'gzip' }).catch(() => 0))
      expect((await Promise.all(bombs)).filter((status) => status === 200)).toEqual([])
    },
    bites: 'nothing'
  },
  {
    name: 'large bodies, many at once',
    settings: open,
    async send(service) {
      const next = wholeNumbers(1)
      const spans = Array.from({ length: 20_000 }, () => spanBytes({ name: `n${word(next(1000))}` }))
      const body = gzipSync(traceBody('large', spans))
      for (let round = 0; round < 5; round++) {
        await Promise.all(Array.from({ length: 24 }, () => post(service, body, { 'content-encoding': 'gzip' })))
      }
    },
    bites: 'nothing'
  },
  {
    name: 'readers that ask and do not read',
    settings: closing,
    async send(service) {
      const [host = '', port = ''] = service.metrics.split(':')
      const spanOf = (number: number): Uint8Array => spanBytes({ name: `operation ${word(number % 400)}` })
      const sockets: Socket[] = []
      try {
        for (let round = 0; round < 8; round++) {
          await flood(service, { bodies: 2, span: spanOf })
          for (const path of ['/metrics', '/api/v1/overview', '/api/v1/operations', '/api/v1/learned']) {
            for (let reader = 0; reader < 5; reader++) sockets.push(await neverReading(host, Number(port), path))
          }
        }
      } finally {
        for (const socket of sockets) socket.destroy()
      }
    },
    bites: 'nothing'
  }
]

/** Asks many times on one connection, and leaves the answers where they are. */
function neverReading(host: string, port: number, path: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    socket.pause()
    socket.on('error', () => {
      resolve(socket)
    })
    socket.on('connect', () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: t\r\n\r\n`.repeat(20), () => {
        resolve(socket)
      })
    })
  })
}

test('V8 takes no limit of its heap after its start, so the start only says which one would be right', async () => {
  const before = getHeapStatistics().heap_size_limit
  setFlagsFromString('--max-old-space-size=64')
  expect(getHeapStatistics().heap_size_limit).toBe(before)
  const service = await startService({ memory_limit: '256MiB' })
  try {
    expect(service.output()).toContain('NODE_OPTIONS=--max-old-space-size=128')
  } finally {
    expect(await service.stop()).toBe(0)
  }
})

test.each(attacks)(
  `$name: the process stays below a memory_limit of ${LIMIT_MIB} MiB and takes requests again`,
  async ({ settings, send, bites }) => {
    const service = await startService({
      ...settings,
      memory_limit: `${LIMIT_MIB}MiB`,
      expose: { zero_first: '0s', scrape_timeout: '2s' },
      shutdown: { last_scrape_wait: '0s' }
    })
    try {
      await send(service)
      const { sum } = await service.scrape()
      const refused =
        sum('tail_requests_refused_total', { reason: 'memory' }) +
        sum('tail_requests_refused_total', { reason: 'busy' })
      const closed = sum('tail_traces_closed_total', { reason: 'memory' })
      expect({ refused: bites !== 'refused' || refused > 0, closed: bites !== 'closed' || closed > 0 }).toEqual({
        refused: true,
        closed: true
      })
      const endMs = performance.now() + 30_000
      while ((await post(service, traceBody('after', [spanBytes()]))) !== 200 && performance.now() < endMs)
        await pause(200)
      expect(await post(service, traceBody('after', [spanBytes()]))).toBe(200)
      expect(residentBytesOf(service.pid).peakBytes / MIB).toBeLessThan(LIMIT_MIB)
    } finally {
      expect(await service.stop()).toBe(0)
    }
  }
)
