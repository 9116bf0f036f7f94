import { gzip } from 'node:zlib'
import { attempts, deliveries, Delivery, type DestinationState } from '../../model/forwarding.ts'
import { createDurationHistogram } from '../../runtime/duration-histogram.ts'
import { Fault } from '../../runtime/fault.ts'
import { type DestinationSettings } from '../settings.ts'
import { type Answer, never } from './answer.ts'
import { createBackoff } from './backoff.ts'
import { type Parcel, type ParcelQueue, type ParcelQueueTools, type Waiting } from './parcel-queue.ts'

/** Sends bytes once. Never rejects: what goes wrong on the way is an answer too. */
export interface Client {
  readonly send: (body: Buffer, gzipped: boolean) => Promise<Answer>
  readonly close: () => void
}

export interface DestinationTools {
  readonly client: Client
  readonly createQueue: (tools: ParcelQueueTools) => ParcelQueue
  readonly nowMs: () => number
  /** From 0 to 1. */
  readonly random: () => number
  readonly log: {
    readonly warn: (fields: object, message: string) => void
    readonly info: (fields: object, message: string) => void
  }
}

/**
 * One destination with a queue of its own, so that it slows nobody but itself:
 *
 *   queued --its turn--> under way --taken--> done
 *      ^                    |---never-------> dropped, counted
 *      '-- first again -----'---later (after a pause that grows; given up on after a while)
 *
 * After a failure one request at a time finds out whether it is well again.
 */
export interface Destination {
  /** Finds what an earlier process left. */
  readonly open: () => Promise<void>
  /** Takes a parcel, or drops one for lack of room. */
  readonly offer: (parcel: Parcel) => void
  /** Begins what may begin by now. */
  readonly tick: () => void
  readonly state: () => DestinationState
  /** Nothing waits and nothing is under way. */
  readonly isIdle: () => boolean
  /** Resolves when nothing that was offered so far can be lost with the process, as far as the disk can be written. */
  readonly kept: () => Promise<void>
  /** Drops what is left, unless it is on disk. */
  readonly close: () => Promise<void>
}

/** A failing destination is spoken of once in so long. */
const LOGGED_EVERY_MS = 60_000
const ZLIB_LEVEL = 1

export function createDestination(settings: DestinationSettings, tools: DestinationTools): Destination {
  const { name, concurrency, retry } = settings
  const { client, nowMs, log } = tools
  const backoff = createBackoff(retry, tools.random)
  const spans = new Float64Array(deliveries.length)
  const requests = new Float64Array(attempts.length)
  const durations = createDurationHistogram()
  const queue = tools.createQueue({ dropped: count, ready: begin })
  let underWay = 0
  let lastFailure = ''
  let loggedMs = -Infinity
  let closed = false

  function count(delivery: number, number: number): void {
    spans[delivery] = (spans[delivery] as number) + number
  }

  function begin(): void {
    const most = backoff.failing() ? 1 : concurrency
    while (!closed && underWay < most && nowMs() >= backoff.untilMs()) {
      const next = queue.next()
      if (next === undefined) return
      underWay += 1
      void attempt(next)
    }
  }

  async function attempt(waiting: Waiting): Promise<void> {
    const { parcel } = waiting
    const startMs = nowMs()
    if (Number.isNaN(waiting.triedMs)) waiting.triedMs = startMs
    const answer = await sendOnce(parcel)
    durations.observe(nowMs() - startMs)
    requests[attempts.indexOf(answer.kind)] = (requests[attempts.indexOf(answer.kind)] as number) + 1
    underWay -= 1
    settle(waiting, answer)
    begin()
  }

  async function sendOnce(parcel: Parcel): Promise<Answer> {
    if (!settings.gzip) return client.send(parcel.bytes, false)
    try {
      parcel.gzipped ??= compressed(parcel.bytes)
      return await client.send(await parcel.gzipped, true)
    } catch (reason) {
      return never(`it cannot be compressed: ${Fault.from(reason).message}`)
    }
  }

  function settle(waiting: Waiting, answer: Answer): void {
    const { parcel } = waiting
    if (answer.kind === 'later') {
      backoff.fail(nowMs(), answer.afterMs)
      tell(answer.message, 'a destination does not take spans now; they wait')
      if (nowMs() - waiting.triedMs < retry.giveUpAfterMs) queue.putBack(waiting)
      else {
        queue.done(waiting)
        count(Delivery.gaveUp, parcel.spans)
      }
      return
    }
    // It answers, whatever it says.
    if (backoff.failing()) log.info({ destination: name }, 'a destination takes spans again')
    backoff.succeed()
    if (answer.kind === 'never') {
      queue.done(waiting)
      count(Delivery.refused, parcel.spans)
      tell(answer.message, 'a destination refused spans for good; they are dropped')
      return
    }
    const rejected = Math.min(answer.rejected, parcel.spans)
    queue.taken(waiting)
    count(Delivery.sent, parcel.spans - rejected)
    count(Delivery.rejected, rejected)
    if (rejected > 0 || answer.message !== '') tell(answer.message, 'a destination rejected some spans')
  }

  function tell(message: string, what: string): void {
    lastFailure = message
    if (nowMs() - loggedMs < LOGGED_EVERY_MS) return
    loggedMs = nowMs()
    log.warn({ destination: name, answer: message }, what)
  }

  return {
    open: queue.open,
    offer(parcel) {
      queue.add(parcel)
      begin()
    },
    tick() {
      queue.tick()
      begin()
    },
    state: () => ({
      name,
      spans,
      requests,
      queueBytes: queue.bytes(),
      queueBytesMax: settings.queueBytesMax,
      memoryBytes: queue.memoryBytes(),
      disk: queue.disk(),
      durations: durations.cells,
      healthy: !backoff.failing(),
      lastFailure
    }),
    isIdle: () => queue.isEmpty() && underWay === 0,
    kept: queue.kept,
    close() {
      closed = true
      client.close()
      return queue.close()
    }
  }
}

function compressed(bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    gzip(bytes, { level: ZLIB_LEVEL }, (error, result) => {
      if (error === null) resolve(result)
      else reject(error)
    })
  })
}
