import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { type AddressInfo } from 'node:net'
import { createServer as createTlsServer } from 'node:https'
import { gunzipSync } from 'node:zlib'
import { Metadata, Server, ServerCredentials, type ServiceDefinition, type UntypedHandleCall } from '@grpc/grpc-js'

/** An export request that came, decompressed. */
export interface Received {
  readonly body: Buffer
  readonly headers: Readonly<Record<string, unknown>>
}

/** A backend that answers as it is told, one answer after the other; the last for all that follow. */
export interface Backend {
  readonly endpoint: string
  readonly received: Received[]
  /** Resolves when so many requests have come. */
  readonly until: (requests: number) => Promise<void>
  readonly close: () => Promise<void>
}

export interface HttpReply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  /** Cuts the connection instead. */
  readonly cut?: true
  /** Never answers. */
  readonly silent?: true
}

interface Tls {
  readonly key: Buffer
  readonly cert: Buffer
  /** Clients must have a certificate of this one's. */
  readonly ca?: Buffer
}

function inbox(): Pick<Backend, 'received' | 'until'> & { readonly add: (one: Received) => void } {
  const received: Received[] = []
  let waiting: { requests: number; resolve: () => void }[] = []
  return {
    received,
    add(one) {
      received.push(one)
      for (const { requests, resolve } of waiting) if (received.length >= requests) resolve()
      waiting = waiting.filter(({ requests }) => received.length < requests)
    },
    until: (requests) =>
      new Promise((resolve) => {
        if (received.length >= requests) resolve()
        else waiting.push({ requests, resolve })
      })
  }
}

export async function httpBackend(
  replies: readonly HttpReply[] = [{ status: 200 }],
  tls?: Tls,
  atPort = 0
): Promise<Backend> {
  const { received, add, until } = inbox()
  const options = tls === undefined ? {} : { ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: true }
  const server = tls === undefined ? createServer() : createTlsServer(options)
  server.on('request', (request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const reply = replies[Math.min(received.length, replies.length - 1)] as HttpReply
      add({
        body: plain(Buffer.concat(pieces), request.headers),
        headers: { ...request.headers, ':path': request.url }
      })
      if (reply.cut === true) request.socket.destroy()
      else if (reply.silent !== true) {
        response.writeHead(reply.status, { 'content-type': 'application/x-protobuf', ...reply.headers })
        response.end(reply.body)
      }
    })
  })
  server.listen(atPort, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    received,
    until,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}

function plain(body: Buffer, headers: IncomingHttpHeaders): Buffer {
  return headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
}

export interface GrpcReply {
  readonly code: number
  readonly message?: string
  /** google.rpc.Status for grpc-status-details-bin. */
  readonly details?: Buffer
  /** ExportTraceServiceResponse. */
  readonly body?: Buffer
}

const bytes = (value: Buffer): Buffer => value
const service: ServiceDefinition = {
  export: {
    path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes
  }
}

export async function grpcBackend(replies: readonly GrpcReply[] = [{ code: 0 }], tls?: Tls): Promise<Backend> {
  const { received, add, until } = inbox()
  const server = new Server()
  const answer: UntypedHandleCall = (
    call: { request: Buffer; metadata: Metadata },
    callback: (error: object | null, body?: Buffer) => void
  ) => {
    const reply = replies[Math.min(received.length, replies.length - 1)] as GrpcReply
    add({ body: call.request, headers: call.metadata.getMap() })
    if (reply.code === 0) {
      callback(null, reply.body ?? Buffer.alloc(0))
      return
    }
    const metadata = new Metadata()
    if (reply.details !== undefined) metadata.set('grpc-status-details-bin', reply.details)
    callback({ code: reply.code, details: reply.message ?? '', metadata })
  }
  server.addService(service, { export: answer })
  const credentials =
    tls === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(
          tls.ca ?? null,
          [{ private_key: tls.key, cert_chain: tls.cert }],
          tls.ca !== undefined
        )
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => {
      if (error === null) resolve(bound)
      else reject(error)
    })
  })
  return {
    endpoint: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    received,
    until,
    close: () =>
      new Promise((resolve) => {
        server.forceShutdown()
        resolve()
      })
  }
}
