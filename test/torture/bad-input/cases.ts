import { type Socket } from 'node:net'
import { constants, deflateRawSync } from 'node:zlib'
import { letters } from '../../builders/load-plan.ts'
import { bytesField } from '../../builders/protobuf-bytes.ts'
import { type Tally } from '../../builders/tally.ts'
import { type LiveService } from '../../builders/live-service.ts'
import { attribute, deepAttribute, spanBytes, spanJson, traceBody, traceJson } from '../senders/bodies.ts'
import { type Answer, callGrpc, grpcFrame, JSON_TYPE, post, PROTOBUF, sendRaw } from '../senders/single.ts'

export interface Case {
  readonly name: string
  readonly run: (service: LiveService, tally: Tally) => Promise<void>
}

const INVALID_ARGUMENT = 3
const RESOURCE_EXHAUSTED = 8
const UNIMPLEMENTED = 12
const MIB = 1024 ** 2

/** What the service is set to, so that waiting is short. */
export const TIMEOUT_MS = 5_000
const BUSY_MACHINE_MS = 20_000

const BOMB_BYTES = 10 * 1024 * MIB
/** Summing up 10 GiB takes seconds: this is what `gzip -t` agrees to. */
const BOMB_CRC32 = 0xf41d912f

/** A whole and valid gzip of 10 GiB of zeros, in 10 MiB: the same deflate blocks over and over. */
function gzipBomb(): Buffer {
  const zeros = Buffer.alloc(MIB)
  const blocks = deflateRawSync(zeros, { level: 9, finishFlush: constants.Z_FULL_FLUSH })
  const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])
  const lastBlock = Buffer.from([3, 0])
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(BOMB_CRC32, 0)
  trailer.writeUInt32LE(BOMB_BYTES % 2 ** 32, 4)
  const turns = BOMB_BYTES / zeros.length
  return Buffer.concat([header, ...Array.from({ length: turns }, () => blocks), lastBlock, trailer])
}

/** google.rpc.Status in the sender's own content type. */
function statusOf(answer: Answer): { code: unknown; message: unknown } {
  if (String(answer.headers['content-type']).startsWith(JSON_TYPE)) {
    return JSON.parse(answer.body.toString()) as { code: unknown; message: unknown }
  }
  const [codeTag, code, messageTag] = answer.body
  return { code: codeTag === 0x08 ? code : undefined, message: messageTag === 0x12 ? 'some' : undefined }
}

function expectStatus(tally: Tally, name: string, answer: Answer, http: number, code: number): void {
  tally.equal(name, answer.status, http)
  const status = statusOf(answer)
  tally.check(
    `${name}: a Status says so`,
    status.code === code && Boolean(status.message),
    `expected code ${code} and a message, got ${JSON.stringify(status)}`
  )
}

const bombs: Case = {
  name: '10 GB of zeros in gzip',
  async run({ http, grpc }, tally) {
    const bomb = gzipBomb()
    const headers = { 'content-type': PROTOBUF, 'content-encoding': 'gzip' }
    expectStatus(tally, 'HTTP answers 413', await post(http, bomb, headers), 413, RESOURCE_EXHAUSTED)
    const json = { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' }
    expectStatus(tally, 'JSON answers 413', await post(http, bomb, json), 413, RESOURCE_EXHAUSTED)
    const answer = await callGrpc(grpc, grpcFrame(bomb, { gzip: true }), { headers: { 'grpc-encoding': 'gzip' } })
    tally.equal('gRPC answers RESOURCE_EXHAUSTED', answer.status, RESOURCE_EXHAUSTED)
    const closed = { status: 0 }
    const several = await Promise.all(Array.from({ length: 6 }, () => post(http, bomb, headers).catch(() => closed)))
    tally.check(
      'six at once are all refused',
      // Sixty MiB may take longer to come than a body may: 408, or closed before the sender has read that.
      several.every(({ status }) => [0, 408, 413, 503].includes(status)),
      several.map(({ status }) => status).join(' ')
    )
  }
}

const declaredLengths: Case = {
  name: 'lengths that are declared and never come',
  async run({ http, grpc }, tally) {
    const frame = grpcFrame(Buffer.from('xx'), { declaredLength: 0xffff_ffff })
    const answer = await callGrpc(grpc, frame, { neverEnds: true })
    tally.equal('gRPC length of 4 GB is RESOURCE_EXHAUSTED before it comes', answer.status, RESOURCE_EXHAUSTED)
    const huge = await sendRaw(http, (socket) =>
      socket.write(
        `POST /v1/traces HTTP/1.1\r\nHost: t\r\nContent-Type: ${PROTOBUF}\r\nContent-Length: 10737418240\r\n\r\n`
      )
    )
    tally.equal('Content-Length of 10 GB is 413 before it comes', huge.text.slice(9, 12), '413')
    const inSpan = Buffer.concat([spanBytes(), Buffer.from([0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f])])
    expectStatus(
      tally,
      'a name of 4 GB in a short body',
      await post(http, traceBody('liar', [inSpan])),
      400,
      INVALID_ARGUMENT
    )
  }
}

const slowSenders: Case = {
  name: 'senders that trickle or stop',
  async run({ http, grpc }, tally) {
    const head = `POST /v1/traces HTTP/1.1\r\nHost: t\r\nContent-Type: ${PROTOBUF}\r\nContent-Length: 100000\r\n\r\n`
    const slow = 2 * TIMEOUT_MS + BUSY_MACHINE_MS
    const [headers, body, halfFrame, openStream, silent] = await Promise.all([
      sendRaw(
        http,
        (socket) => {
          trickle(socket, 'POST /v1/traces HTTP/1.1\r\nX-Slow: ')
        },
        slow
      ),
      sendRaw(http, (socket) => socket.write(`${head}half`), slow),
      callGrpc(grpc, grpcFrame(Buffer.alloc(10), { declaredLength: 1000 }), { neverEnds: true, waitMs: slow }),
      callGrpc(grpc, Buffer.alloc(0), { neverEnds: true, waitMs: slow }),
      sendRaw(http, () => undefined, slow)
    ])
    tally.check('trickled headers end in 408 or a closed connection', headers.closed, 'still open')
    tally.check('a body that stops half-way ends in 408 or closed', body.closed, `still open: ${body.text}`)
    const ended = ({ status, closed }: Answer): boolean => closed || status !== 0
    tally.check('a gRPC message that stops half-way is ended', ended(halfFrame), 'still open')
    tally.check('a gRPC call without a message is ended', ended(openStream), 'still open')
    tally.check('a silent connection is closed', silent.closed, 'still open')
    const left = await Promise.all(
      Array.from({ length: 100 }, () =>
        sendRaw(http, (socket) => {
          socket.write(`${head}half`, () => {
            socket.destroy()
          })
        })
      )
    )
    tally.check('100 senders that leave half-way do no harm', left.length === 100, '')
    const bytes = traceBody('one-byte-frames', [spanBytes({ more: attribute(9, 'filler', 'x'.repeat(8_000)) })])
    const answer = await callGrpc(grpc, grpcFrame(bytes), { frameBytes: 1 })
    const harmless = answer.status === 0 || answer.status === RESOURCE_EXHAUSTED
    tally.check('8,000 DATA frames of one byte are taken or refused', harmless, `status ${answer.status}`)
  }
}

function trickle(socket: Socket, text: string): void {
  socket.write(text)
  const timer = setInterval(() => socket.write('x'), 100)
  socket.on('close', () => {
    clearInterval(timer)
  })
}

const brokenBodies: Case = {
  name: 'broken bodies',
  async run({ http, grpc }, tally) {
    const good = traceBody('broken', [spanBytes(), spanBytes()])
    const broken: Readonly<Record<string, Uint8Array>> = {
      'truncated protobuf': good.subarray(0, good.length - 3),
      'overlong varint': Buffer.concat([Buffer.from([0x0a]), Buffer.alloc(11, 0xff)]),
      'wrong wire type': Buffer.concat([Buffer.from([0x09]), Buffer.alloc(8, 1)]),
      zeros: Buffer.alloc(1_000)
    }
    for (const [name, bytes] of Object.entries(broken)) {
      expectStatus(tally, `${name} over HTTP`, await post(http, bytes), 400, INVALID_ARGUMENT)
      const answer = await callGrpc(grpc, grpcFrame(bytes))
      tally.equal(`${name} over gRPC`, answer.status, INVALID_ARGUMENT)
    }
    const json = { 'content-type': JSON_TYPE }
    for (const [name, text] of [
      ['broken JSON', '{"resourceSpans":['],
      ['JSON of another shape', '{"resourceSpans":{"a":1}}'],
      ['no JSON at all', '\u0000\u0001']
    ] as const) {
      expectStatus(tally, name, await post(http, text, json), 400, INVALID_ARGUMENT)
    }
    const notGzip = await post(http, good, { 'content-type': PROTOBUF, 'content-encoding': 'gzip' })
    expectStatus(tally, 'gzip that is none', notGzip, 400, INVALID_ARGUMENT)
  }
}

const strangers: Case = {
  name: 'requests for something else',
  async run({ http, grpc }, tally) {
    expectStatus(
      tally,
      'logs over HTTP',
      await post(http, '{}', { 'content-type': JSON_TYPE }, '/v1/logs'),
      404,
      UNIMPLEMENTED
    )
    const logs = await callGrpc(grpc, grpcFrame(Buffer.alloc(0)), {
      path: '/opentelemetry.proto.collector.logs.v1.LogsService/Export'
    })
    tally.equal('logs over gRPC are UNIMPLEMENTED', logs.status, UNIMPLEMENTED)
    const type = await post(http, 'a', { 'content-type': 'text/plain' })
    tally.equal('another content type is 415', type.status, 415)
    const zstd = await callGrpc(grpc, grpcFrame(Buffer.alloc(4), { gzip: true }), {
      headers: { 'grpc-encoding': 'zstd' }
    })
    tally.equal('another gRPC encoding is UNIMPLEMENTED', zstd.status, UNIMPLEMENTED)
    for (const [name, bytes] of [
      ['noise', Buffer.from('\u0016\u0003\u0001 not a protocol\r\n\r\n')],
      [
        'an HTTP/2 preface and noise',
        Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.alloc(200, 0xff)])
      ]
    ] as const) {
      const { closed } = await sendRaw(grpc, (socket) => socket.write(bytes), 2 * TIMEOUT_MS + BUSY_MACHINE_MS)
      tally.check(`${name} ends in a closed connection`, closed, 'still open')
    }
  }
}

const badSpans: Case = {
  name: 'bad spans among good ones',
  async run({ http }, tally) {
    const id = (length: number, fill: string): string => fill.repeat(length * 2)
    const bad = [
      { traceId: id(16, '0') },
      { spanId: id(8, '0') },
      { traceId: id(15, 'a') },
      { spanId: id(9, 'a') },
      { startTimeUnixNano: '0', endTimeUnixNano: '0' },
      { startTimeUnixNano: '1800000000000000001', endTimeUnixNano: '1800000000000000000' },
      { endTimeUnixNano: '18446744073709551615' },
      inOneHour()
    ]
    const body = traceJson('bad-spans', [spanJson(), ...bad.map((parts) => spanJson(parts)), spanJson()])
    const answer = await post(http, body, { 'content-type': JSON_TYPE })
    tally.equal('the request is accepted', answer.status, 200)
    const { partialSuccess } = JSON.parse(answer.body.toString()) as {
      partialSuccess?: { rejectedSpans?: unknown; errorMessage?: unknown }
    }
    tally.equal('every bad span is refused', Number(partialSuccess?.rejectedSpans), bad.length)
    tally.check('and the answer says why', Boolean(partialSuccess?.errorMessage), 'no errorMessage')
  }
}

function inOneHour(): Record<string, unknown> {
  const at = BigInt(Date.now() + 3_600_000) * 1_000_000n
  return { startTimeUnixNano: String(at), endTimeUnixNano: String(at + 1n) }
}

/** Names that must stay apart, and themselves, whatever they hold. */
export const hostileNames: readonly (string | Uint8Array)[] = [
  'new\nline',
  'new\\nline',
  'quote"brace}',
  'comma",operation="x',
  'nul\u0000byte',
  '\u2028 separator \u{1f4a3}',
  Buffer.from([0x61, 0xff, 0xfe, 0x62]),
  `${'m'.repeat(MIB)} one`,
  `${'m'.repeat(MIB)} two`,
  '__proto__',
  'constructor',
  'hasOwnProperty'
]
export const HOSTILE_SERVICE = 'hostile "names"\n\\'

const hostile: Case = {
  name: 'hostile names and keys',
  async run({ http, grpc }, tally) {
    const keys = ['__proto__', 'constructor', 'toString', '\u0000', '']
    const more = Buffer.concat([...keys.map((key) => attribute(9, key, '__proto__')), deepAttribute(9, 200_000)])
    for (const name of hostileNames) {
      const answer = await post(http, traceBody(HOSTILE_SERVICE, [spanBytes({ name, more })]))
      if (answer.status !== 200) tally.fail(`a name of ${name.length} bytes`, `HTTP ${answer.status}`)
    }
    tally.pass(`${hostileNames.length} hostile names over HTTP, each with hostile keys and a 200,000-deep value`)
    const answer = await callGrpc(grpc, grpcFrame(traceBody('deep', [spanBytes({ more: deepAttribute(9, 200_000) })])))
    tally.equal('a 200,000-deep value over gRPC', answer.status, 0)
    const json = `{"resourceSpans":[${'{"a":['.repeat(50_000)}`
    expectStatus(
      tally,
      'JSON 50,000 deep and cut',
      await post(http, json, { 'content-type': JSON_TYPE }),
      400,
      INVALID_ARGUMENT
    )
    const proto = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"resourceSpans":[]}'
    const harmless = await post(http, proto, { 'content-type': JSON_TYPE })
    tally.equal('JSON keys __proto__ and constructor are unknown fields', harmless.status, 200)
  }
}

export const FLOOD_SERVICE = 'flood'
export const FLOOD_OPERATIONS = 100_000
const FLOOD_BATCH = 5_000

const flood: Case = {
  name: 'one service floods with operations',
  async run({ http }, tally) {
    let accepted = 0
    for (let first = 0; first < FLOOD_OPERATIONS; first += FLOOD_BATCH) {
      const spans = Array.from({ length: FLOOD_BATCH }, (_, i) => spanBytes({ name: `flood ${letters(first + i)}` }))
      if ((await post(http, traceBody(FLOOD_SERVICE, spans))).status === 200) accepted += FLOOD_BATCH
    }
    tally.equal('100,000 distinct operations are accepted', accepted, FLOOD_OPERATIONS)
  }
}

const emptyAndUnknown: Case = {
  name: 'empty requests and unknown fields',
  async run({ http, grpc }, tally) {
    tally.equal('an empty body is an empty message', (await post(http, new Uint8Array(0))).status, 200)
    tally.equal('over gRPC too', (await callGrpc(grpc, grpcFrame(new Uint8Array(0)))).status, 0)
    const unknown = Buffer.concat([bytesField(1999, Buffer.from('later')), traceBody('unknown-fields', [spanBytes()])])
    tally.equal('unknown fields are skipped', (await post(http, unknown)).status, 200)
  }
}

export const cases: readonly Case[] = [
  hostile,
  flood,
  badSpans,
  brokenBodies,
  emptyAndUnknown,
  strangers,
  declaredLengths,
  slowSenders,
  bombs
]
