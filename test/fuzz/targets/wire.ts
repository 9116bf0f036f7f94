import { Readable } from 'node:stream'
import { gunzipSync, gzipSync } from 'node:zlib'
import { openToAll } from '../../../src/access/guard.ts'
import { type Peer } from '../../../src/access/peer.ts'
import { createBudget } from '../../../src/accept/budget.ts'
import { createAcceptCounters } from '../../../src/accept/counters.ts'
import { grpcTimeoutMs } from '../../../src/accept/grpc.ts'
import { createGunzipper } from '../../../src/accept/gunzip.ts'
import { createIntake, isRefusal } from '../../../src/accept/intake.ts'
import { acceptSection, acceptSettings } from '../../../src/accept/settings.ts'
import { httpAnswer } from '../../../src/forward/destinations/answer.ts'
import { mustHold, type Target } from '../target.ts'

const BYTES_MAX = 1 << 18
const text = Buffer.from('tailspan '.repeat(200))

/** A whole gRPC body: flags, length, message. */
function frame(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5)
  head[0] = flags
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** What a frame holds, in the plainest way; undefined when it is to be refused. */
function messageOf(input: Buffer): Buffer | undefined {
  if (input.length < 5 || input.readUInt32BE(1) !== input.length - 5) return undefined
  if (input[0] === 0) return input.subarray(5)
  return input[0] === 1 ? gunzipped(input.subarray(5)) : undefined
}

function gunzipped(bytes: Uint8Array): Buffer | undefined {
  try {
    return gunzipSync(bytes, { maxOutputLength: BYTES_MAX })
  } catch {
    return undefined
  }
}

/** From the first bytes of a call to the message that the decoder gets, in pieces as the network cuts them. */
function grpcBodies(): Target {
  const settings = { ...acceptSettings(acceptSection.parse({})), requestBytesMax: BYTES_MAX }
  const budget = createBudget(1 << 24)
  let handedOn: Buffer[] = []
  const take = (body: Uint8Array): { rejected: number; message: string } => {
    handedOn.push(Buffer.from(body))
    return { rejected: 0, message: '' }
  }
  const intake = createIntake(
    {
      settings,
      tools: { log: console, nowMs: () => 0, turnMs: () => 0, random: () => 0, guard: openToAll, tls: undefined },
      budget,
      counters: createAcceptCounters(),
      clientLimits: { take: () => undefined, charge: () => undefined }
    },
    { traces: take, metrics: take, admission: () => undefined }
  )
  return {
    name: 'grpc-bodies',
    shape: 'bytes',
    covers: ['/src/accept/'],
    seeds: () => [
      frame(text),
      frame(gzipSync(text), 1),
      frame(Buffer.alloc(0)),
      frame(gzipSync(Buffer.alloc(BYTES_MAX + 1)), 1)
    ],
    async run(input) {
      handedOn = []
      const cut = (input[0] ?? 0) % (input.length + 1)
      const pieces = [Buffer.from(input.subarray(0, cut)), Buffer.from(input.subarray(cut))]
      const outcome = await intake.take({
        signal: 'traces',
        protocol: 'grpc',
        gzip: true,
        declaredBytes: undefined,
        timeoutMs: Infinity,
        source: Readable.from(pieces.filter((piece) => piece.length > 0)),
        authorization: undefined,
        peer: { network: '127.0.0.1' } as Peer,
        release: () => undefined
      })
      const refused = isRefusal(outcome)
      mustHold(!refused || outcome.reason !== 'internal', () => 'an error of ours')
      mustHold(budget.memory().inFlightBytes === 0, () => `${budget.memory().inFlightBytes} bytes are still under way`)
      const expected = messageOf(Buffer.from(input))
      mustHold(
        refused === (expected === undefined),
        () => `${JSON.stringify(outcome)}, expected ${expected?.length ?? 'a refusal'}`
      )
      mustHold(
        expected === undefined
          ? handedOn.length === 0
          : handedOn.length === 1 && handedOn[0]?.equals(expected) === true,
        () => 'another message was handed on'
      )
      return refused ? 'refused' : 'taken'
    }
  }
}

/** One stream for all bodies must say of each what a new one would. */
function keptGunzip(): Target {
  const gunzip = createGunzipper(BYTES_MAX + 64)
  return {
    name: 'gunzip',
    shape: 'bytes',
    covers: ['/src/accept/gunzip.ts'],
    seeds: () => [
      gzipSync(text),
      gzipSync(Buffer.alloc(0)),
      Buffer.concat([gzipSync(text), gzipSync(text)]),
      gzipSync(Buffer.alloc(BYTES_MAX + 1))
    ],
    run(input) {
      const out = gunzip(Buffer.from(input), BYTES_MAX)
      const expected = gunzipped(input)
      mustHold(
        Buffer.isBuffer(out) === (expected !== undefined),
        () => `${Buffer.isBuffer(out) ? out.length : out.message}, gunzipSync ${expected?.length ?? 'refuses'}`
      )
      mustHold(expected === undefined || expected.equals(out as Buffer), () => 'other bytes than gunzipSync')
      return expected === undefined ? 'refused' : 'taken'
    }
  }
}

function headers(): Target {
  return {
    name: 'grpc-timeout',
    shape: 'text',
    covers: ['/src/accept/grpc.ts'],
    seeds: () => ['10S', '99999999H', '1n', '0m'].map((one) => Buffer.from(one)),
    run(input) {
      const ms = grpcTimeoutMs(Buffer.from(input).toString('latin1'))
      mustHold(ms === undefined || (ms >= 0 && Number.isFinite(ms)), () => `${ms} ms`)
      return ms === undefined ? 'refused' : 'taken'
    }
  }
}

/** What a destination answers is a stranger's too. */
function answers(): Target {
  const partial = Buffer.from([0x0a, 0x07, 0x08, 0x03, 0x12, 0x03, 0x62, 0x61, 0x64])
  return {
    name: 'destination-answers',
    shape: 'protobuf',
    covers: ['/src/forward/destinations/answer.ts', '/src/forward/wire.ts'],
    seeds: () => [partial, Buffer.from([0x08, 0x0e, 0x12, 0x02, 0x6e, 0x6f])],
    run(input) {
      for (const status of [200, 400, 503]) {
        const retryAfter = Buffer.from(input.subarray(0, 12)).toString('latin1')
        const answer = httpAnswer({ status, retryAfter, isProtobuf: true, body: Buffer.from(input) }, 0)
        if (answer.kind === 'taken') mustHold(answer.rejected >= 0, () => `${answer.rejected} rejected`)
        if (answer.kind === 'later')
          mustHold(answer.afterMs === undefined || answer.afterMs >= 0, () => `after ${answer.afterMs} ms`)
        mustHold(answer.message.length <= 400, () => 'a long message')
      }
      return 'taken'
    }
  }
}

export const wireTargets = (): readonly Target[] => [grpcBodies(), keptGunzip(), headers(), answers()]
