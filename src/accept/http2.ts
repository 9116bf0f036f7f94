import { type IncomingMessage, type ServerResponse } from 'node:http'
import {
  constants,
  Http2ServerRequest,
  Http2ServerResponse,
  performServerHandshake,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream
} from 'node:http2'
import { type Socket } from 'node:net'
import { freeMemory } from '../runtime/free-memory.ts'
import { mediaType } from './app.ts'
import { countCut, type AcceptCounters } from './counters.ts'
import { answerCall } from './grpc.ts'
import { type Intake } from './intake.ts'
import { type AcceptSettings } from './settings.ts'

/** Windows wide enough that a usual batch comes in one go: 1.5 times the requests of the 64 KiB default. */
const STREAM_WINDOW_BYTES = 1 << 20
const CONNECTION_WINDOW_BYTES = 4 << 20
const HEADER_BYTES_MAX = 16 * 1024
const HEADER_PAIRS_MAX = 64
const STREAM_RESETS_PER_SECOND = 33
const STREAM_ID_MAX = 2 ** 31 - 1
/** How long a sender may take to see that it should open no more streams. */
const GOAWAY_NOTICE_MS = 1000

export interface Http2Parts {
  readonly settings: AcceptSettings
  readonly intake: Intake
  readonly counters: AcceptCounters
  /** Takes the requests that are not gRPC. */
  readonly route: (request: IncomingMessage, response: ServerResponse) => void
}

/**
 * Speaks HTTP/2 on a socket, and returns what retires the connection. gRPC calls are answered on the bare stream: Node's
 * compatibility layer and the router behind it cost 70 µs a call, beside 235 for all the rest at 225 KB (bench/transport.ts).
 */
export function serveHttp2(socket: Socket, parts: Http2Parts): () => void {
  const { settings, intake } = parts
  const session = performServerHandshake(socket, {
    maxHeaderListPairs: HEADER_PAIRS_MAX,
    // A sender may give up all its calls at once; one that goes on like that only wants each of them begun (Node lets 1,000).
    streamResetBurst: settings.streamsMax,
    streamResetRate: STREAM_RESETS_PER_SECOND,
    settings: {
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxConcurrentStreams: settings.streamsMax,
      maxHeaderListSize: HEADER_BYTES_MAX
    }
  })
  session.setLocalWindowSize(CONNECTION_WINDOW_BYTES)
  session.on('error', ignore)
  const memory = createReceiveMemory()
  const calls = createCallAges()
  let openStreams = 0
  let seenStreams = 0

  session.on('stream', (stream: ServerHttp2Stream, headers, _flags, rawHeaders?: string[]) => {
    openStreams += 1
    seenStreams += 1
    stream.on('error', ignore)
    const ended = calls.begin()
    stream.once('close', () => {
      openStreams -= 1
      ended()
    })
    if (isGrpc(headers)) {
      answerCall(intake, { stream, socket, headers, release: memory.release }).catch(() => {
        stream.close(constants.NGHTTP2_INTERNAL_ERROR)
      })
      return
    }
    memory.keepAll()
    // CONNECT has no path, and no router can do without one.
    headers[':path'] ??= '*'
    const request = new Http2ServerRequest(stream, headers, {}, rawHeaders ?? [])
    const response = new Http2ServerResponse(stream)
    if (headers.expect === '100-continue') response.writeContinue()
    parts.route(request as unknown as IncomingMessage, response as unknown as ServerResponse)
  })

  const retire = retirement(session, settings.headersTimeoutMs + settings.bodyTimeoutMs)
  endWhenSilent(session, parts)
  endWhenStuck(session, parts, calls)
  endWhenIdle({ session, parts, retire, state: () => ({ openStreams, seenStreams }) })
  return retire
}

function isGrpc(headers: IncomingHttpHeaders): boolean {
  const type = mediaType(headers['content-type'])
  return headers[':method'] === 'POST' && (type === 'application/grpc' || type === 'application/grpc+proto')
}

/**
 * First says that no more streams should be opened, and stops taking them when the sender has had time to hear it. Node waits
 * for as long as a sender is in the middle of a frame: after `callMsMax`, in which any call has come to its end, that is over.
 */
function retirement(session: ServerHttp2Session, callMsMax: number): () => void {
  let retiring = false
  return () => {
    if (retiring || session.destroyed) return
    retiring = true
    session.goaway(constants.NGHTTP2_NO_ERROR, STREAM_ID_MAX)
    const timer = setTimeout(end, GOAWAY_NOTICE_MS)
    function end(): void {
      clearTimeout(timer)
      if (session.closed || session.destroyed) return
      session.close()
      const last = setTimeout(() => {
        session.destroy()
      }, callMsMax)
      session.once('close', () => {
        clearTimeout(last)
      })
    }
    // The answer to a ping that follows the notice proves that the notice was read.
    session.ping(end)
  }
}

function endWhenSilent(session: ServerHttp2Session, parts: Http2Parts): void {
  const timer = setTimeout(() => {
    countCut(parts.counters, 'silent')
    session.destroy()
  }, parts.settings.headersTimeoutMs)
  const done = (): void => {
    clearTimeout(timer)
  }
  session.once('remoteSettings', done).once('close', done)
}

interface Idleness {
  readonly session: ServerHttp2Session
  readonly parts: Http2Parts
  readonly retire: () => void
  readonly state: () => { readonly openStreams: number; readonly seenStreams: number }
}

/** Looks once per idle time instead of starting a timer after each request. */
function endWhenIdle({ session, parts, retire, state }: Idleness): void {
  let seenBefore = 0
  const timer = setInterval(() => {
    const { openStreams, seenStreams } = state()
    if (openStreams === 0 && seenStreams === seenBefore) {
      countCut(parts.counters, 'idle')
      clearInterval(timer)
      retire()
    }
    seenBefore = seenStreams
  }, parts.settings.idleTimeoutMs)
  session.once('close', () => {
    clearInterval(timer)
  })
}

interface CallAges {
  /** Returns what ends the call. */
  readonly begin: () => () => void
  /** Whether a call that was open at the last look still is. */
  readonly look: () => boolean
}

/** Two counters instead of a timer for each call: calls begun since the last look, and those begun before it. */
function createCallAges(): CallAges {
  const open = [0, 0]
  let turn = 0
  const change = (at: number, by: number): void => {
    open[at] = (open[at] as number) + by
  }
  return {
    begin() {
      const at = turn
      change(at, 1)
      return () => {
        change(at, -1)
      }
    },
    look() {
      turn = 1 - turn
      return (open[turn] as number) > 0
    }
  }
}

/** A call has its time to come, and its answer follows at once: one that is open for longer has a sender that does not read. */
function endWhenStuck(session: ServerHttp2Session, { settings, counters }: Http2Parts, calls: CallAges): void {
  const timer = setInterval(() => {
    if (!calls.look()) return
    countCut(counters, 'unread')
    session.destroy()
  }, settings.headersTimeoutMs + settings.bodyTimeoutMs)
  session.once('close', () => {
    clearInterval(timer)
  })
}

interface ReceiveMemory {
  readonly release: (piece: Buffer) => void
  readonly keepAll: () => void
}

/**
 * Frees what a socket read was held in when the next read's first piece comes (see `free` for why). By then
 * all of its pieces have been copied, as long as the connection carries nothing but gRPC calls: those copy each piece at once.
 */
function createReceiveMemory(): ReceiveMemory {
  let keeping = false
  let last: ArrayBufferLike | undefined
  return {
    release(piece) {
      const memory = piece.buffer
      if (memory === last) return
      if (!keeping && last !== undefined) freeMemory(last)
      last = memory
    },
    keepAll() {
      keeping = true
      last = undefined
    }
  }
}

function ignore(): void {
  // 'close' follows, and says all there is to say.
}
