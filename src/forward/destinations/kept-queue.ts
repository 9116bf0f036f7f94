import { Delivery } from '../../model/forwarding.ts'
import { type DiskQueue, type Folder, type KeptItem, openDiskQueue } from '../../runtime/segments/index.ts'
import { type DestinationSettings } from '../settings.ts'
import { type Parcel, type ParcelQueue, type ParcelQueueTools, type Waiting } from './parcel-queue.ts'

export interface KeptQueueTools extends ParcelQueueTools {
  /** Nobody reads the bytes of a parcel for this destination any more. */
  readonly delivered: (parcel: Parcel) => void
  readonly openFolder: () => Promise<Folder>
  /** As for a disk queue. */
  readonly syncEveryMs: number
  /** Of parcels on their way to the disk at once; more wait in memory only. */
  readonly waitingBytesMax: number
  readonly nowMs: () => number
  readonly happened: (event: QueueEvent, number: number) => void
  readonly log: {
    readonly warn: (fields: object, message: string) => void
    readonly info: (fields: object, message: string) => void
  }
}

/** What may happen to a queue on disk, beside its purpose. */
export type QueueEvent = 'found' | 'unkept' | 'failed' | 'damagedBytes'

const MIB = 1024 ** 2
/** What is delivered frees the disk by whole files. */
const SEGMENTS_A_QUEUE = 8
const SEGMENT_BYTES = { min: MIB / 16, max: 16 * MIB } as const
/** What was delivered is written down this often: a crash in between repeats it. */
const ACK_EVERY_MS = 250

/**
 * On disk until it is delivered:
 *
 *   arriving --written (and synced)--> unread --a place is free--> ready --its turn--> under way --> done
 *      '--the disk fails: in memory only-----------------------------^ ^---later--------'
 *
 * What is done is forgotten on disk when all before it is. Of what is unread only place and length are in memory.
 */
export function createKeptQueue(
  settings: Pick<DestinationSettings, 'name' | 'queueBytesMax' | 'onFull' | 'concurrency'>,
  tools: KeptQueueTools
): ParcelQueue {
  const { name, queueBytesMax, onFull, concurrency } = settings
  const { dropped, happened, nowMs, log } = tools
  let disk: DiskQueue | undefined
  const unread: KeptItem[] = []
  const ready: Waiting[] = []
  const underWay = new Set<Waiting>()
  let bytes = 0
  let arrivingBytes = 0
  let arrived: Promise<unknown> = Promise.resolve()
  let reading: Promise<void> | undefined
  /** The last that was ever kept, and up to where it is written down that all is delivered. */
  let newest = 0
  let acked = 0
  let ackAtMs = 0
  let closed = false

  async function open(): Promise<void> {
    const { min, max } = SEGMENT_BYTES
    const segmentBytes = Math.min(max, Math.max(min, Math.ceil(queueBytesMax / SEGMENTS_A_QUEUE)))
    disk = await openDiskQueue({
      folder: await tools.openFolder(),
      segmentBytes,
      // Beside what waits: parts that are delivered of the first and the last file, and one request over in each.
      bytesMax: 2 * queueBytesMax + 4 * segmentBytes,
      waitingBytesMax: tools.waitingBytesMax,
      syncEveryMs: tools.syncEveryMs,
      nowMs,
      failed(reason) {
        happened('failed', 1)
        log.warn({ destination: name, err: reason }, 'the queue cannot be written; what comes waits in memory only')
      },
      recovered() {
        log.info({ destination: name }, 'the queue is written again')
      }
    })
    const { found, losses } = disk
    happened('damagedBytes', losses.corruptBytes + losses.tornBytes)
    for (const item of found) {
      unread.push(item)
      bytes += item.bytes
      newest = item.position
      happened('found', item.mark)
    }
    acked = (found[0]?.position ?? 1) - 1
    if (found.length > 0) log.info({ destination: name, requests: found.length, bytes }, 'a queue goes on')
  }

  /** Drops the oldest that are not under way until there is room. */
  function makeRoom(wanted: number): boolean {
    while (onFull === 'drop_oldest' && bytes + wanted > queueBytesMax && dropOldest());
    return bytes + wanted <= queueBytesMax
  }

  function dropOldest(): boolean {
    const atHand = ready.shift()
    if (atHand !== undefined) {
      bytes -= atHand.parcel.bytes.length
      dropped(Delivery.queueFull, atHand.parcel.spans)
      return true
    }
    return dropUnread(Delivery.queueFull)
  }

  function dropUnread(delivery: number): boolean {
    const item = unread.shift()
    if (item === undefined) return false
    bytes -= item.bytes
    dropped(delivery, item.mark)
    return true
  }

  async function keep(parcel: Parcel): Promise<void> {
    const { spans, bytes: body } = parcel
    const position = await disk?.append(body, spans)
    arrivingBytes -= body.length
    if (position === undefined) {
      happened('unkept', 1)
      if (closed) dropped(Delivery.shutdown, spans)
      else ready.push({ parcel, triedMs: NaN, position })
      tools.ready()
      return
    }
    newest = position
    unread.push({ position, bytes: body.length, mark: spans })
    tools.delivered(parcel)
    read()
  }

  function read(): void {
    if (unread.length === 0 || ready.length >= concurrency || closed) return
    reading ??= readSome().finally(() => {
      reading = undefined
      // What came while the last was read.
      read()
    })
  }

  async function readSome(): Promise<void> {
    while (!closed && ready.length < concurrency && disk !== undefined) {
      const last = unread.at(-1)?.position
      if (last === undefined) return
      const item = await disk.take()
      // All that is unread is on disk, in order: what is passed over cannot be read.
      const through = item === undefined ? last : item.position - 1
      while ((unread[0]?.position ?? Infinity) <= through) dropUnread(Delivery.lost)
      const [first] = unread
      if (item === undefined || first?.position !== item.position) continue
      unread.shift()
      const parcel = { bytes: Buffer.from(item.bytes), spans: first.mark, readers: 1 }
      ready.push({ parcel, triedMs: NaN, position: item.position })
      tools.ready()
    }
  }

  /** Everything up to this position is delivered or given up. */
  function settledThrough(): number {
    let first = unread[0]?.position ?? newest + 1
    for (const { position = Infinity } of [...ready, ...underWay]) first = Math.min(first, position)
    return first - 1
  }

  async function ack(): Promise<void> {
    const through = settledThrough()
    if (through <= acked || disk === undefined) return
    acked = through
    // Said again when it could not be written.
    if (!(await disk.ack(through)) && acked === through) acked = through - 1
  }

  function done(one: Waiting): void {
    underWay.delete(one)
    bytes -= one.parcel.bytes.length
  }

  return {
    open,
    add(parcel) {
      const { length } = parcel.bytes
      if (closed || !makeRoom(length)) {
        dropped(closed ? Delivery.shutdown : Delivery.queueFull, parcel.spans)
        return
      }
      bytes += length
      arrivingBytes += length
      const kept = keep(parcel)
      arrived = arrived.then(() => kept)
    },
    next() {
      const one = ready.shift()
      if (one !== undefined) underWay.add(one)
      read()
      return one
    },
    putBack(one) {
      underWay.delete(one)
      // What is on disk and not delivered must not be missed by the last acknowledgement.
      if (!closed || one.position !== undefined) ready.unshift(one)
      else dropped(Delivery.shutdown, one.parcel.spans)
    },
    taken(one) {
      done(one)
      if (one.position === undefined) tools.delivered(one.parcel)
    },
    done,
    tick() {
      const now = nowMs()
      if (now < ackAtMs && ackAtMs - now <= ACK_EVERY_MS) return
      ackAtMs = now + ACK_EVERY_MS
      void ack()
    },
    isEmpty: () => arrivingBytes === 0 && unread.length === 0 && ready.length === 0,
    kept: () => arrived.then(() => undefined),
    bytes: () => bytes,
    memoryBytes() {
      let held = arrivingBytes + (disk?.bufferBytes() ?? 0)
      for (const { parcel } of [...ready, ...underWay]) held += parcel.bytes.length
      return held
    },
    disk: () => ({ bytes: disk?.bytes() ?? 0, degraded: disk?.failing() ?? false }),
    async close() {
      closed = true
      await arrived
      await reading
      for (const { position, parcel } of ready) if (position === undefined) dropped(Delivery.shutdown, parcel.spans)
      await ack()
      await disk?.close()
    }
  }
}
