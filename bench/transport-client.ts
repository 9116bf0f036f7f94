import { connect } from 'node:net'
import {
  dataFrames,
  END_HEADERS,
  END_STREAM,
  frame,
  FrameType,
  grpcHeaders,
  grpcMessage,
  rawHttp2
} from '../test/builders/raw-http2.ts'

// The sender of transport.ts, in a process of its own: prepared bytes, so that it costs little beside the server.
const [kind, portText, bytesText, connectionsText, streamsText] = process.argv.slice(2)
const port = Number(portText)
const bytes = Number(bytesText)
const connections = Number(connectionsText)
const streams = Number(streamsText)

function sendGrpc(): void {
  const message = grpcMessage(Buffer.alloc(bytes, 'a'))
  const template = Buffer.concat([frame(FrameType.headers, END_HEADERS, 1, grpcHeaders), dataFrames(1, message)])
  const streamIdOffsets: number[] = []
  for (let at = 0; at < template.length; at += 9 + template.readUIntBE(at, 3)) streamIdOffsets.push(at + 5)
  let nextStream = 1
  let window = 65_535
  let waiting = streams
  const socket = rawHttp2(port, ({ type, flags, stream, payload }) => {
    if (type === FrameType.windowUpdate && stream === 0) window += payload.readUInt32BE(0)
    if (type === FrameType.headers && (flags & END_STREAM) !== 0) waiting += 1
    while (waiting > 0 && window >= message.length) {
      waiting -= 1
      window -= message.length
      const request = Buffer.from(template)
      for (const offset of streamIdOffsets) request.writeUInt32BE(nextStream, offset)
      nextStream += 2
      socket.write(request)
    }
  })
}

function sendHttp(): void {
  const head = `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${bytes}\r\n\r\n`
  const request = Buffer.concat([Buffer.from(head), Buffer.alloc(bytes, 'a')])
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let answer = ''
  socket.on('error', () => socket.destroy())
  socket.on('data', (part) => {
    answer += part.toString('latin1')
    if (!answer.includes('\r\n\r\n')) return
    answer = ''
    socket.write(request)
  })
  socket.write(request)
}

for (let i = 0; i < connections; i++) {
  if (kind === 'grpc') sendGrpc()
  else sendHttp()
}
