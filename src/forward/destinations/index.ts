import { type DestinationState } from '../../model/forwarding.ts'
import { type HeldBytes } from '../../model/memory.ts'
import { type CounterSample, createCounters } from '../../runtime/counters.ts'
import { queueCounters } from '../counters.ts'
import { type Chunk } from '../outbox.ts'
import { type DestinationSettings, type Send } from '../settings.ts'
import { createDestination, type Destination, type DestinationTools } from './destination.ts'
import { createGrpcClient } from './grpc-client.ts'
import { createHeaders } from './headers.ts'
import { createHttpClient } from './http-client.ts'
import { createKeptQueue, type QueueEvent } from './kept-queue.ts'
import { createMemoryQueue } from './memory-queue.ts'
import { type Parcel } from './parcel-queue.ts'
import { type QueueFolders } from './queue-folders.ts'
import { createTls } from './tls.ts'

/** Everybody that spans go on to. */
export interface Destinations {
  /** Finds what waits on disk since an earlier process. Throws BAD_SETTINGS when a folder cannot be used. */
  readonly open: () => Promise<void>
  /** Gives a chunk to each that wants it. Nobody waits for anybody. */
  readonly offer: (send: Send, chunk: Chunk) => void
  readonly tick: () => void
  /** Resolves when nothing that was offered so far can be lost with the process, as far as disks can be written. */
  readonly kept: () => Promise<void>
  /** Waits until everything is delivered, at most until then; the rest is dropped and counted, unless it is on disk. */
  readonly close: (drainMs: number) => Promise<void>
  readonly states: () => readonly DestinationState[]
  readonly counters: { readonly samples: () => CounterSample[] }
  readonly memory: () => HeldBytes
}

export interface DestinationsTools extends Omit<DestinationTools, 'client' | 'createQueue'> {
  /** Everybody who wanted these bytes has taken them; nobody reads them any more. */
  readonly delivered: (bytes: Buffer) => void
  /** Where queues lie on disk; undefined = they are in memory. */
  readonly queues?:
    { readonly folders: QueueFolders; readonly syncEveryMs: number; readonly waitingBytesMax: number } | undefined
}

/** How often it is looked at whether all is delivered. */
const LOOK_EVERY_MS = 20

/** Throws BAD_SETTINGS when a certificate or a file with a header cannot be read. */
export function createDestinations(settings: readonly DestinationSettings[], tools: DestinationsTools): Destinations {
  const { queues } = tools
  const counters = createCounters(queueCounters(settings.map(({ name }) => name)))
  const delivered = (parcel: Parcel): void => {
    parcel.readers -= 1
    if (parcel.readers === 0) tools.delivered(parcel.bytes)
  }
  const list = settings.map((destination, place) => ({
    wants: destination.send,
    destination: createOne(destination, tools, (queueTools) => {
      if (queues === undefined) return createMemoryQueue(destination, { ...queueTools, delivered })
      return createKeptQueue(destination, {
        ...tools,
        ...queueTools,
        delivered,
        syncEveryMs: queues.syncEveryMs,
        waitingBytesMax: queues.waitingBytesMax,
        openFolder: () => queues.folders.open(destination.name),
        happened(event, number) {
          counters.add(counterOf[event], number, place)
        }
      })
    })
  }))
  const all = list.map(({ destination }) => destination)

  return {
    async open() {
      if (queues === undefined) return
      const left = await queues.folders.besides(settings.map(({ name }) => name))
      counters.add('tail_forward_left_queues_total', left.length)
      if (left.length > 0) {
        tools.log.warn(
          { folders: left },
          'queues of destinations that are not in the settings; they stay where they are'
        )
      }
      for (const destination of all) await destination.open()
    },
    offer(send, { bytes, spans }) {
      const readers = list.filter(({ wants }) => wants === send)
      const parcel: Parcel = { bytes, spans, readers: readers.length }
      for (const { destination } of readers) destination.offer(parcel)
    },
    tick() {
      for (const destination of all) destination.tick()
    },
    async kept() {
      await Promise.all(all.map((destination) => destination.kept()))
    },
    async close(drainMs) {
      const untilMs = performance.now() + drainMs
      while (!all.every((destination) => destination.isIdle()) && performance.now() < untilMs) {
        for (const destination of all) destination.tick()
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
      }
      await Promise.all(all.map((destination) => destination.close()))
    },
    states: () => all.map((destination) => destination.state()),
    counters: { samples: () => (queues === undefined ? [] : counters.samples()) },
    memory: () => ({ forward_queues: all.reduce((sum, destination) => sum + destination.state().memoryBytes, 0) })
  }
}

function createOne(
  settings: DestinationSettings,
  tools: DestinationsTools,
  createQueue: DestinationTools['createQueue']
): Destination {
  const { nowMs } = tools
  const clientTools = { headers: createHeaders(settings, nowMs), tls: createTls(settings, tools), nowMs }
  const create = settings.protocol === 'grpc' ? createGrpcClient : createHttpClient
  return createDestination(settings, { ...tools, createQueue, client: create(settings, clientTools) })
}

const counterOf = {
  found: 'tail_forward_queue_found_spans_total',
  unkept: 'tail_forward_queue_unkept_total',
  failed: 'tail_forward_queue_failures_total',
  damagedBytes: 'tail_forward_queue_damaged_bytes_total'
} as const satisfies Record<QueueEvent, string>
