/** A backend that takes everything and keeps nothing, in a process of its own. Prints its two ports. */
import { createServer as createHttp } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import { type AddressInfo, type Server } from 'node:net'

const http = createHttp((request, response) => {
  request.resume()
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/x-protobuf' })
    response.end()
  })
})

const EMPTY_MESSAGE = Buffer.alloc(5)
/** As servers of gRPC announce it. */
const grpc = createHttp2({ settings: { initialWindowSize: 1024 ** 2 } })
grpc.on('session', (session) => {
  session.setLocalWindowSize(4 * 1024 ** 2)
})
grpc.on('stream', (stream) => {
  stream.resume()
  stream.on('end', () => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => {
      stream.sendTrailers({ 'grpc-status': '0' })
    })
    stream.end(EMPTY_MESSAGE)
  })
})

const portOf = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve((server.address() as AddressInfo).port)
    })
  })

process.stdout.write(`${JSON.stringify({ http: await portOf(http), grpc: await portOf(grpc) })}\n`)
