import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip, type Gzip } from 'node:zlib'
import * as grpc from '@grpc/grpc-js'
import { METRICS_FILE, TRACES_FILE } from './recording.ts'

/** One export request; SDKs send about 512 spans in one. */
const BODY_BYTES_MAX = 16 * 1024 ** 2
/** Of both files together, before they are compressed. */
const RECORDING_BYTES_MAX = 1024 ** 3

const signals = { traces: TRACES_FILE, metrics: METRICS_FILE } as const
export type Signal = keyof typeof signals

export interface SinkCounts {
  readonly traces: number
  readonly metrics: number
  /** Bodies that were not taken: too large, not protobuf, beyond the limit of a recording, or refused by who is next. */
  readonly refused: number
}

/** An OTLP endpoint that writes down what it is sent. */
export interface Sink {
  /** host:port of each protocol. */
  readonly grpc: string
  readonly http: string
  readonly counts: () => SinkCounts
  /** Writes down what comes from now on, where it did not. */
  readonly keep: () => void
  /** Finishes the files. */
  readonly close: () => Promise<void>
}

/** Who gets the bodies too; false when they were refused. */
export type Next = (signal: Signal, body: Uint8Array) => Promise<boolean>

/** Takes export requests over gRPC and HTTP and writes each, as it came, behind four bytes of its length, to a gzipped file. */
export async function startSink(
  folder: string,
  next: Next = () => Promise.resolve(true),
  { keeps = true } = {}
): Promise<Sink> {
  const files = { traces: createFile(join(folder, signals.traces)), metrics: createFile(join(folder, signals.metrics)) }
  const counts = { traces: 0, metrics: 0, refused: 0 }
  let writtenBytes = 0
  let keeping = keeps

  /** False when it is not taken. */
  async function take(signal: Signal, body: Uint8Array | undefined): Promise<boolean> {
    if (!keeping && body !== undefined) return await next(signal, body)
    writtenBytes += 4 + (body?.length ?? 0)
    const fits = body !== undefined && body.length <= BODY_BYTES_MAX && writtenBytes <= RECORDING_BYTES_MAX
    if (!fits || !(await next(signal, body))) {
      counts.refused += 1
      return false
    }
    counts[signal] += 1
    const length = Buffer.alloc(4)
    length.writeUInt32BE(body.length)
    files[signal].gzip.write(length)
    files[signal].gzip.write(body)
    return true
  }

  const http = createServer((request, response) => {
    answer(request, response, take).catch(() => {
      counts.refused += 1
      response.destroy()
    })
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const { server, port } = await startGrpc(take)

  return {
    grpc: `127.0.0.1:${port}`,
    http: `127.0.0.1:${(http.address() as AddressInfo).port}`,
    counts: () => ({ ...counts }),
    keep() {
      keeping = true
    },
    async close() {
      http.closeAllConnections()
      http.close()
      server.forceShutdown()
      for (const { gzip, done } of Object.values(files)) {
        gzip.end()
        await done
      }
    }
  }
}

function createFile(path: string): { gzip: Gzip; done: Promise<void> } {
  const gzip = createGzip()
  return { gzip, done: pipeline(gzip, createWriteStream(path)) }
}

/** `undefined` is a body that was too large to read. */
type Take = (signal: Signal, body: Uint8Array | undefined) => Promise<boolean>

async function answer(request: IncomingMessage, response: ServerResponse, take: Take): Promise<void> {
  const signal = request.url === '/v1/traces' ? 'traces' : request.url === '/v1/metrics' ? 'metrics' : undefined
  if (signal === undefined || request.method !== 'POST') {
    response.writeHead(404).end()
    return
  }
  if (request.headers['content-type'] !== 'application/x-protobuf') {
    response.writeHead(415).end('a recording takes application/x-protobuf')
    return
  }
  const taken = await take(signal, await readBody(request))
  response.writeHead(taken ? 200 : 413, { 'content-type': 'application/x-protobuf' }).end()
}

async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const isGzip = request.headers['content-encoding'] === 'gzip'
  const source = isGzip ? request.pipe(createGunzip()) : request
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of source as AsyncIterable<Uint8Array>) {
    bytes += part.length
    if (bytes > BODY_BYTES_MAX) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts)
}

async function startGrpc(take: Take): Promise<{ server: grpc.Server; port: number }> {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': BODY_BYTES_MAX })
  for (const [signal, service] of [
    ['traces', 'trace.v1.TraceService'],
    ['metrics', 'metrics.v1.MetricsService']
  ] as const) {
    const exporting = {
      path: `/opentelemetry.proto.collector.${service}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: asItIs,
      requestDeserialize: asItIs,
      responseSerialize: asItIs,
      responseDeserialize: asItIs
    }
    const handle: grpc.handleUnaryCall<Buffer, Buffer> = ({ request }, callback) => {
      const refused = { code: grpc.status.RESOURCE_EXHAUSTED, details: 'the recording is full' }
      void take(signal, request).then((taken) => {
        if (taken) callback(null, Buffer.alloc(0))
        else callback(refused)
      })
    }
    server.addService({ export: exporting }, { export: handle })
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (reason, bound) => {
      if (reason === null) resolve(bound)
      else reject(reason)
    })
  })
  return { server, port }
}

const asItIs = (bytes: Buffer): Buffer => bytes
