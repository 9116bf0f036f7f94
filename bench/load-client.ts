import { connect as connectHttp2, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { createLoad, type Load } from '../test/builders/load.ts'

/** What the bench asks of this process: one line of JSON as the only argument. */
export interface LoadOrder {
  readonly transport: 'http' | 'grpc'
  readonly format: 'protobuf' | 'json'
  readonly gzip: boolean
  readonly host: string
  readonly port: number
  readonly operations: number
  readonly firstBlock: number
  readonly blocks: number
  /** Whom to believe, PEM; without it the load goes in the clear. */
  readonly authority?: string | undefined
  /** So many and no more, evenly; without it as many as are answered. */
  readonly bodiesPerSecond?: number
  /** Each with two requests under way; 4 without. */
  readonly connections?: number
}

/** What it answers: one line of JSON on stdout. */
export interface LoadResult {
  readonly spans: number
  readonly bytes: number
  readonly retries: number
  readonly seconds: number
  readonly clientCpuSeconds: number
  /** From when a body was to be sent to its answer. */
  readonly answeredMs: Quantiles
  /** Of that, until it was sent: a lane had no answer yet, or this process was not there. */
  readonly sentLateMs: Quantiles
}

export interface Quantiles {
  readonly p50: number
  readonly p99: number
}

export const LOAD_SEED = 20_261_101
const CONNECTIONS = 4
const STREAMS_PER_CONNECTION = 2
const RETRY_MS = 50
const ATTEMPTS_MAX = 200
const TIMER_LATE_MS = 2

/** Sends a body and tells whether it was accepted; false = refused for now, throws when refused for good. */
type Send = (body: Uint8Array) => Promise<boolean>

interface Lane {
  readonly send: Send
  readonly close: () => void
}

async function main(): Promise<void> {
  const order = JSON.parse(process.argv[2] ?? '') as LoadOrder
  const load = createLoad({ format: order.format, operations: order.operations, seed: LOAD_SEED, startMs: Date.now() })
  const bodyOf = order.gzip || order.bodiesPerSecond !== undefined ? prepared(load, order) : copied(load, order)
  const lanes = order.transport === 'http' ? httpLanes(order) : grpcLanes(order)
  const bodies = order.blocks * load.bodies
  let next = 0
  let bytes = 0
  let retries = 0
  const cpuBefore = process.cpuUsage()
  const startedMs = performance.now()
  const answeredMs: number[] = []
  const sentLateMs: number[] = []
  await Promise.all(
    lanes.map(async (lane) => {
      while (next < bodies) {
        const body = next++
        const bytesOut = bodyOf(Math.floor(body / load.bodies), body % load.bodies)
        bytes += bytesOut.length
        const dueMs = await due(startedMs, body, order.bodiesPerSecond)
        sentLateMs.push(performance.now() - dueMs)
        for (let attempt = 1; !(await lane.send(bytesOut)); attempt++) {
          if (attempt === ATTEMPTS_MAX) throw new Error(`refused ${ATTEMPTS_MAX} times`)
          retries += 1
          await pause(RETRY_MS)
        }
        answeredMs.push(performance.now() - dueMs)
      }
      lane.close()
    })
  )
  const seconds = (performance.now() - startedMs) / 1e3
  const cpu = process.cpuUsage(cpuBefore)
  const result: LoadResult = {
    spans: order.blocks * load.spans,
    bytes,
    retries,
    seconds,
    clientCpuSeconds: (cpu.user + cpu.system) / 1e6,
    answeredMs: quantiles(answeredMs),
    sentLateMs: quantiles(sentLateMs)
  }
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

/** Waits until a body is to be sent, and gives when that was: a lane that is late counts its lateness. */
async function due(startedMs: number, body: number, bodiesPerSecond: number | undefined): Promise<number> {
  if (bodiesPerSecond === undefined) return performance.now()
  const dueMs = startedMs + (body * 1e3) / bodiesPerSecond
  const waitMs = dueMs - performance.now()
  if (waitMs > 0) await pause(waitMs)
  // A timer is late by up to a millisecond, which is nobody's fault but the client's.
  return Math.max(dueMs, Math.min(performance.now(), dueMs + TIMER_LATE_MS))
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function quantiles(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b)
  const quantile = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
  return { p50: quantile(0.5), p99: quantile(0.99) }
}

/**
 * All bodies, made before the clock starts: compressing costs more than the server's whole work, and where answers are
 * timed a client that is busy would be late for its own bodies and call that the server's.
 */
function prepared(load: Load, order: LoadOrder): (block: number, index: number) => Uint8Array {
  const ready: Uint8Array[] = []
  const bodyOf = copied(load, order)
  for (let block = 0; block < order.blocks; block++) {
    for (let index = 0; index < load.bodies; index++) {
      const body = bodyOf(block, index)
      ready.push(order.gzip ? gzipSync(body, { level: 1 }) : body)
    }
  }
  return (block, index) => ready[block * load.bodies + index] as Uint8Array
}

/** A copy each: the template is written anew while the last one may still be on its way. */
function copied(load: Load, { firstBlock }: LoadOrder): (block: number, index: number) => Uint8Array {
  return (block, index) => Uint8Array.from(load.body(firstBlock + block, index))
}

function httpLanes(order: LoadOrder): Lane[] {
  const head = [
    'POST /v1/traces HTTP/1.1',
    `Host: ${order.host}:${order.port}`,
    `Content-Type: ${order.format === 'json' ? 'application/json' : 'application/x-protobuf'}`,
    ...(order.gzip ? ['Content-Encoding: gzip'] : []),
    'Content-Length: '
  ].join('\r\n')
  return Array.from({ length: (order.connections ?? CONNECTIONS) * STREAMS_PER_CONNECTION }, () => {
    const { host, port, authority } = order
    const connect = (): Socket => {
      const socket = authority === undefined ? connectTcp(port, host) : connectTls({ port, host, ca: authority })
      return socket.setNoDelay(true)
    }
    let socket = connect()
    return {
      send: (body: Uint8Array) => {
        // Who is refused before all of the body was read is hung up on.
        if (!socket.writable) socket = connect()
        const answer = httpStatus(socket)
        socket.cork()
        socket.write(`${head}${body.length}\r\n\r\n`)
        socket.write(body)
        socket.uncork()
        return answer.then((status) => {
          if (status === 200) return true
          if (status === 429 || status === 503) return false
          throw new Error(`HTTP ${status}`)
        })
      },
      close: () => socket.end()
    }
  })
}

/** The status of the next answer, once all of it is read. */
function httpStatus(socket: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = ''
    const finish = (): void => {
      socket.off('data', read)
      socket.off('error', fail)
      socket.off('close', closed)
    }
    const fail = (error: Error): void => {
      finish()
      reject(error)
    }
    const closed = (): void => {
      fail(new Error('the connection was closed'))
    }
    const read = (chunk: Buffer): void => {
      text += chunk.toString('latin1')
      const headEnd = text.indexOf('\r\n\r\n')
      if (headEnd < 0) return
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, headEnd))?.[1] ?? 0)
      if (text.length < headEnd + 4 + length) return
      finish()
      if (/\r\nconnection: close/i.test(text.slice(0, headEnd))) socket.destroy()
      resolve(Number(text.slice(9, 12)))
    }
    socket.on('data', read)
    socket.on('error', fail)
    socket.on('close', closed)
  })
}

function grpcLanes(order: LoadOrder): Lane[] {
  const { authority, connections = CONNECTIONS } = order
  const scheme = authority === undefined ? 'http' : 'https'
  return Array.from({ length: connections }, () => {
    const session = connectHttp2(`${scheme}://${order.host}:${order.port}`, {
      settings: { enablePush: false },
      ...(authority !== undefined && { ca: authority })
    })
    let open = STREAMS_PER_CONNECTION
    return Array.from({ length: STREAMS_PER_CONNECTION }, () => ({
      send: (body: Uint8Array) => callExport(session, order, body),
      close: () => {
        open -= 1
        // A lane that waits to send again has no stream open that would keep the session.
        if (open === 0) session.close()
      }
    }))
  }).flat()
}

const GRPC_OK = 0
const GRPC_UNAVAILABLE = 14

async function callExport(session: ClientHttp2Session, order: LoadOrder, body: Uint8Array): Promise<boolean> {
  const frame = Buffer.allocUnsafe(5 + body.length)
  frame[0] = order.gzip ? 1 : 0
  frame.writeUInt32BE(body.length, 1)
  frame.set(body, 5)
  const stream = session.request({
    ':method': 'POST',
    ':path': '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(order.gzip ? { 'grpc-encoding': 'gzip' } : {})
  })
  stream.end(frame)
  const status = await grpcStatus(stream)
  if (status === GRPC_OK) return true
  if (status === GRPC_UNAVAILABLE) return false
  throw new Error(`gRPC status ${status}`)
}

function grpcStatus(stream: ClientHttp2Stream): Promise<number> {
  return new Promise((resolve, reject) => {
    let status = NaN
    const note = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] !== undefined) status = Number(headers['grpc-status'])
    }
    // An answer without a message carries its status in the headers.
    stream.on('response', note)
    stream.on('trailers', note)
    // A refused stream was not looked at: exporters send it again, and so it counts as refused here.
    stream.on('error', (reason: Error) => {
      if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) resolve(GRPC_UNAVAILABLE)
      else reject(reason)
    })
    stream.on('close', () => {
      resolve(status)
    })
    stream.resume()
  })
}

if (import.meta.main) await main()
