import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { pause } from '../../builders/live-service.ts'
import { type Exposition } from '../../builders/prometheus-text.ts'
import { PREFACE } from '../../builders/raw-http2.ts'
import { defineScenario } from '../scenario.ts'
import { settings } from '../senders/raw-http2.ts'

const TIMEOUT_MS = 5_000
const CUT_MS_MAX = 60_000
const SPARE = 300
const OPENED_AT_ONCE = 100

const halfHead = Buffer.from('POST /v1/traces HTTP/1.1\r\nhost: t\r\n')
const openings: readonly Buffer[] = [Buffer.alloc(0), halfHead, Buffer.concat([PREFACE, settings()])]

interface Facts {
  readonly opened: number
  readonly failed: number
  readonly residentPerConnection: number
  readonly descriptorsBefore: number
  readonly descriptorsAfter: number
  readonly closedMs: number
  readonly last: Exposition
}

export const scenario = defineScenario<Facts>({
  name: '10,000 connections',
  thrown: '10,000 connections (2,000 in the short form): silent, with half a request, or with an idle HTTP/2 session',
  settings: {
    accept: { connections_max: 10_000 + SPARE, headers_timeout: `${TIMEOUT_MS}ms`, idle_timeout: `${TIMEOUT_MS}ms` }
  },
  async run(bed) {
    const { pid, grpc } = bed.service
    const wanted = bed.pick(2_000, 10_000)
    const descriptorsBefore = descriptorsOf(pid)
    const before = await bed.vitals()
    const sockets: Socket[] = []
    let failed = 0
    bed.defer(() => {
      for (const socket of sockets) socket.destroy()
    })
    for (let first = 0; first < wanted; first += OPENED_AT_ONCE) {
      const some = await Promise.all(
        Array.from({ length: OPENED_AT_ONCE }, (_, i) => open(grpc, openings[(first + i) % openings.length] as Buffer))
      )
      for (const socket of some) {
        if (socket === undefined) failed += 1
        else sockets.push(socket)
      }
    }
    const after = await bed.vitals()
    const startedMs = performance.now()
    while (sockets.some((socket) => !socket.destroyed) && performance.now() - startedMs < CUT_MS_MAX) await pause(200)
    const closedMs = performance.now() - startedMs
    return {
      opened: sockets.length,
      failed,
      residentPerConnection: (after.residentPeakBytes - before.residentPeakBytes) / sockets.length,
      descriptorsBefore,
      descriptorsAfter: descriptorsOf(pid),
      closedMs,
      last: await bed.settled()
    }
  },
  happened: ({ opened, failed, residentPerConnection, closedMs }) =>
    `${opened} opened, ${failed} failed, ${(residentPerConnection / 1024).toFixed(1)} KiB each; the service ended the last after ${(closedMs / 1000).toFixed(1)} s`,
  judge({ failed, closedMs, descriptorsBefore, descriptorsAfter }, tally) {
    tally.equal('connections that could not be opened', failed, 0)
    tally.check('all are ended by the service', closedMs < CUT_MS_MAX, `not after ${CUT_MS_MAX} ms`)
    const kept = descriptorsAfter - descriptorsBefore
    tally.check('their descriptors are given back', kept < 50, `${kept} more are open than before`)
  }
})

const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

/** Undefined where it was refused or cut at once. */
function open(address: string, first: Buffer): Promise<Socket | undefined> {
  const [host = '', port = ''] = address.split(':')
  return new Promise((resolve) => {
    const socket = connect(Number(port), host)
    socket.once('error', () => {
      resolve(undefined)
    })
    socket.once('connect', () => {
      socket.on('error', () => undefined)
      if (first.length > 0) socket.write(first)
      socket.resume()
      resolve(socket)
    })
  })
}
