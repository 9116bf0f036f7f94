import { type Readable } from 'node:stream'
import { isDenied, type ClientLimits, type Denied, type Guard, type Peer, type TlsFront } from '../access/index.ts'
import { Fault } from '../runtime/fault.ts'
import { type Signal, type Verdict } from './answers.ts'
import { createBody, GRPC_PREFIX_BYTES, receive, tooLarge } from './body.ts'
import { type Budget } from './budget.ts'
import { countRefusal, protocols, type AcceptCounters, type Protocol } from './counters.ts'
import { inflated } from './inflate.ts'
import {
  busy,
  internal,
  notKept,
  refusalOf,
  RETRY_AFTER_MS,
  underPressure,
  type Pressed,
  type Refusal
} from './refusals.ts'
import { type AcceptSettings } from './settings.ts'
import { type Encoding } from './status.ts'
import { createBodyTurns } from './body-turns.ts'

/** The body is valid until this returns; if it lasts and the verdict holds it, until it is known whether it is kept. */
export type TakeBody = (body: Uint8Array, encoding: Encoding, lasts: boolean) => Verdict

/** Where bodies go. Throws a Fault to refuse all of one. */
export interface AcceptNext {
  readonly traces: TakeBody
  readonly metrics: TakeBody
  /** Asked before a body is read; an answer refuses it. */
  readonly admission: () => Pressed | undefined
}

/** Takes a body that is valid until this returns. `sequence` is the request's in the segment log; 0 or absent without one. */
type TakeNumbered = (body: Uint8Array, encoding: Encoding, sequence?: number) => Verdict

/** Where they end. Throws a Fault to refuse all of one. */
export interface AcceptEnd {
  readonly traces: TakeNumbered
  readonly metrics: TakeNumbered
}

export interface AcceptTools {
  readonly log: {
    readonly info: (fields: object, message: string) => void
    readonly warn: (fields: object, message: string) => void
  }
  readonly nowMs: () => number
  /** Monotonic, ms with fractions. */
  readonly turnMs: () => number
  /** From 0 to 1. */
  readonly random: () => number
  /** Says who a request comes from, and whether he may send. */
  readonly guard: Guard
  /** Undefined = in the clear. */
  readonly tls: TlsFront | undefined
}

/** A request as its headers describe it. */
export interface Arrival {
  readonly signal: Signal
  readonly protocol: Protocol
  readonly gzip: boolean
  readonly declaredBytes: number | undefined
  /** How long its sender will wait for the answer; Infinity = for ever. */
  readonly timeoutMs: number
  readonly source: Readable
  readonly authorization: string | undefined
  readonly peer: Peer
  /** Called with each piece of the body once it has been copied. */
  readonly release: (piece: Buffer) => void
}

export interface Intake {
  /** Decides on a request, reads it and hands it on. The one place for whatever must be settled before a body is read. */
  readonly take: (arrival: Arrival) => Promise<Verdict | Refusal>
  /** What is said of something that should not have been thrown; it is logged, not too often. */
  readonly mistake: (error: unknown) => Refusal
  /** Counts a refusal made elsewhere and gives it its final shape. */
  readonly refuse: (refusal: Refusal) => Refusal
}

export function isRefusal(outcome: Verdict | Refusal): outcome is Refusal {
  return 'reason' in outcome
}

const tooLate = underPressure({ cause: 'event_loop', retryAfterMs: RETRY_AFTER_MS })
const MISTAKES_LOGGED_EVERY_MS = 10_000

interface IntakeParts {
  readonly settings: AcceptSettings
  readonly tools: AcceptTools
  readonly budget: Budget
  readonly counters: AcceptCounters
  readonly clientLimits: ClientLimits
}

export function createIntake(parts: IntakeParts, next: AcceptNext): Intake {
  const { settings, tools, budget, counters, clientLimits } = parts
  const bytesMax = settings.requestBytesMax
  const turns = createBodyTurns({ turnMs: tools.turnMs, afterOthers: setImmediate })
  let mistakeLoggedMs = -Infinity

  function admit(arrival: Arrival, client: string): Refusal | undefined {
    const pressed = next.admission()
    if (pressed !== undefined) return underPressure(pressed)
    if (turns.late()) return tooLate
    const declared = arrival.declaredBytes ?? 0
    const framing = arrival.protocol === 'grpc' ? GRPC_PREFIX_BYTES : 0
    if (declared > bytesMax + framing) return tooLarge(bytesMax)
    if (!budget.fits(Math.max(declared, 1)))
      return busy('too many bytes of requests are under way (in_flight_bytes_max)')
    const waitMs = clientLimits.take(client, tools.nowMs())
    return waitMs === undefined ? undefined : rateLimited(client, waitMs)
  }

  async function read(arrival: Arrival): Promise<Verdict | Refusal> {
    const decided = tools.guard(arrival, 'send')
    // Awaited only where it must be: what waits in a stream is not in the budget.
    const decision = decided instanceof Promise ? await decided : decided
    if (isDenied(decision)) return refusalOfDenied(decision)
    const refusal = admit(arrival, decision.client)
    if (refusal !== undefined) return refusal
    const { source, release, declaredBytes, protocol } = arrival
    const deadlineMs = tools.nowMs() + arrival.timeoutMs
    const body = createBody({ budget, bytesMax, framed: protocol === 'grpc', declaredBytes })
    let held: Promise<unknown> | undefined
    try {
      const timeoutMs = Math.min(settings.bodyTimeoutMs, arrival.timeoutMs)
      const stopped = await receive({ source, body, timeoutMs, release })
      if (stopped !== undefined) return stopped
      if (tools.nowMs() > deadlineMs) return { reason: 'timeout', message: 'the deadline passed before the body came' }
      // Many that came at once were let in before any of them had to wait.
      if (turns.late()) return tooLate
      const outcome = await turns.take(() => open(arrival, decision.client, body.bytes()))
      if (!isRefusal(outcome) && outcome.holdsBody === true) held = outcome.kept
      return outcome
    } finally {
      if (held === undefined) body.free()
      else void held.then(body.free, body.free)
    }
  }

  /** Takes the body out of its gRPC frame and its gzip. */
  function open(arrival: Arrival, client: string, wire: Buffer): Verdict | Refusal | Promise<Verdict | Refusal> {
    const framed = arrival.protocol === 'grpc'
    const broken = framed ? brokenFrame(wire, arrival.gzip) : undefined
    if (broken !== undefined) return broken
    const bytes = framed ? wire.subarray(GRPC_PREFIX_BYTES) : wire
    const compressed = framed ? wire[0] === 1 : arrival.gzip
    const use = (plain: Buffer, lasts: boolean): Verdict | Refusal => {
      clientLimits.charge(client, plain.length, tools.nowMs())
      return handOn(arrival, wire.length, plain, lasts)
    }
    return compressed ? inflated(bytes, { budget, bytesMax }, (plain) => use(plain, false)) : use(bytes, true)
  }

  function handOn({ signal, protocol }: Arrival, wireBytes: number, bytes: Buffer, lasts: boolean): Verdict | Refusal {
    try {
      const verdict = next[signal](bytes, protocol === 'http_json' ? 'json' : 'protobuf', lasts)
      const label = protocols.indexOf(protocol)
      counters.add('tail_ingest_requests_total', 1, label)
      counters.add('tail_ingest_wire_bytes_total', wireBytes, label)
      counters.add('tail_ingest_body_bytes_total', bytes.length, label)
      return verdict
    } catch (error) {
      const refusal = refusalOf(Fault.from(error))
      return refusal.reason === 'internal' ? mistake(error) : refusal
    }
  }

  function mistake(error: unknown): Refusal {
    const nowMs = tools.nowMs()
    if (nowMs - mistakeLoggedMs >= MISTAKES_LOGGED_EVERY_MS) {
      mistakeLoggedMs = nowMs
      tools.log.warn({ error }, 'a request could not be handled; further ones within 10 s are only counted')
    }
    return internal
  }

  function refuse(refusal: Refusal): Refusal {
    countRefusal(counters, refusal)
    if (refusal.retryAfterMs === undefined) return refusal
    // Senders that were refused together must not come back together.
    return { ...refusal, retryAfterMs: Math.round(refusal.retryAfterMs * (1 + tools.random() / 2)) }
  }

  return {
    async take(arrival) {
      try {
        const outcome = await read(arrival)
        if (isRefusal(outcome)) return refuse(outcome)
        const isKept = outcome.kept === undefined || (await outcome.kept)
        return isKept ? outcome : refuse(notKept)
      } catch (error) {
        return refuse(mistake(error))
      }
    },
    mistake,
    refuse
  }
}

function refusalOfDenied({ denied, message, retryAfterMs }: Denied): Refusal {
  if (denied === 'busy') return busy(message)
  return { reason: denied, message, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

function rateLimited(client: string, retryAfterMs: number): Refusal {
  return { reason: 'rate_limited', message: `${client} sends more than accept.client_limits allow`, retryAfterMs }
}

function brokenFrame(wire: Buffer, gzip: boolean): Refusal | undefined {
  const declared = wire.length < GRPC_PREFIX_BYTES ? -1 : wire.readUInt32BE(1)
  const message = wire.length - GRPC_PREFIX_BYTES
  if (message < declared || declared < 0) return badFrame('the gRPC message is cut short')
  if (message > declared) return badFrame('more than one gRPC message in a unary call')
  if ((wire[0] as number) > 1) return badFrame('unknown flags before the gRPC message')
  if (wire[0] === 1 && !gzip) return badFrame('the gRPC message is compressed but grpc-encoding does not say how')
  return undefined
}

function badFrame(message: string): Refusal {
  return { reason: 'bad_payload', message }
}
