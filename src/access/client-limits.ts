import { type ClientLimitSettings } from './settings.ts'

/** What each client may send over time: a request and the bytes of its body are taken from two buckets that fill again. */
export interface ClientLimits {
  /** Takes a request, or gives the time until the client may send its next one. */
  readonly take: (client: string, nowMs: number) => number | undefined
  /** Takes a body's bytes. A bucket may go below empty by one body, and is waited for until it is above. */
  readonly charge: (client: string, bytes: number, nowMs: number) => void
}

interface Buckets {
  requests: number
  bytes: number
  atMs: number
}

const unlimited: ClientLimits = {
  take: () => undefined,
  charge: () => undefined
}

/** `onOverflow` is told of each request that is counted by the limit which clients share beyond `clientsMax`. */
export function createClientLimits(settings: ClientLimitSettings, onOverflow: () => void): ClientLimits {
  const { requestsPerSecond, bytesPerSecond, burstMs, clientsMax } = settings
  if (requestsPerSecond === Infinity && bytesPerSecond === Infinity) return unlimited
  const requestsFull = Math.max(1, (requestsPerSecond * burstMs) / 1000)
  const bytesFull = (bytesPerSecond * burstMs) / 1000
  /** The longest untouched first. */
  const clients = new Map<string, Buckets>()
  const others = full(0)

  function full(nowMs: number): Buckets {
    return { requests: requestsFull, bytes: bytesFull, atMs: nowMs }
  }

  function refill(buckets: Buckets, nowMs: number): void {
    // A clock that was set back gives nothing, and takes nothing.
    const seconds = Math.max(0, nowMs - buckets.atMs) / 1000
    if (seconds > 0) {
      buckets.requests = Math.min(requestsFull, buckets.requests + seconds * requestsPerSecond)
      buckets.bytes = Math.min(bytesFull, buckets.bytes + seconds * bytesPerSecond)
    }
    buckets.atMs = nowMs
  }

  /** Full buckets say nothing that new ones would not, so they may be forgotten; others may not, or a limit could be shaken off. */
  function hasRoom(nowMs: number): boolean {
    if (clients.size < clientsMax) return true
    const [oldest] = clients
    if (oldest === undefined) return false
    const [client, buckets] = oldest
    refill(buckets, nowMs)
    return buckets.requests === requestsFull && buckets.bytes === bytesFull && clients.delete(client)
  }

  function bucketsOf(client: string, nowMs: number): Buckets {
    let buckets = clients.get(client)
    if (buckets !== undefined) clients.delete(client)
    else if (hasRoom(nowMs)) buckets = full(nowMs)
    else {
      onOverflow()
      refill(others, nowMs)
      return others
    }
    clients.set(client, buckets)
    refill(buckets, nowMs)
    return buckets
  }

  return {
    take(client, nowMs) {
      const buckets = bucketsOf(client, nowMs)
      const forRequestMs = buckets.requests >= 1 ? 0 : (1000 * (1 - buckets.requests)) / requestsPerSecond
      const forBytesMs = buckets.bytes > 0 ? 0 : (1000 * (1 - buckets.bytes)) / bytesPerSecond
      const waitMs = Math.ceil(Math.max(forRequestMs, forBytesMs))
      if (waitMs > 0) return waitMs
      buckets.requests -= 1
      return undefined
    },
    charge(client, bytes, nowMs) {
      bucketsOf(client, nowMs).bytes -= bytes
    }
  }
}
