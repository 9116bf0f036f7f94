import type { Want } from '../../model/spans.ts'
import type { LeadSource } from './source.ts'

/** Waits that someone measured, in ms. */
const amounts = [
  // Sentry, from X-Request-Start.
  'http.server.request.time_in_queue',
  // OpenTelemetry Java, dd-trace-java, goque.
  'kafka.record.queue_time_ms',
  'record.time_in_queue_ms',
  'goque.job.latency_ms'
] as const

/** When it was put in a queue: brokers (on the span or its links), and proxies' headers as semantic conventions old and new keep them. */
const stamps = [
  'messaging.servicebus.message.enqueued_time',
  'messaging.eventhubs.message.enqueued_time',
  'enqueuedTime',
  'messaging.rocketmq.message.delivery_timestamp',
  'http.request.header.x-request-start',
  'http.request.header.x_request_start',
  'http.request.header.x-queue-start',
  'http.request.header.x_queue_start'
] as const

const NS_PER_MS = 1e6

/**
 * Brokers and proxies say when they took the request in, and the entry span when it was taken up. The stamp is of another
 * clock and may be cut to the second: what the cut hides is not claimed.
 */
export const enqueueStamps: LeadSource = {
  name: 'enqueue_stamps',
  wants: [
    ...amounts.map((key): Want => ({ from: 'attribute', key, type: 'number' })),
    ...stamps.map((key): Want => ({ from: 'attribute', key, type: 'epoch' }))
  ],
  leadNs(view) {
    for (let want = 0; want < amounts.length; want++) {
      const ms = view.number(want)
      if (!Number.isNaN(ms)) return ms * NS_PER_MS
    }
    for (let want = amounts.length; want < amounts.length + stamps.length; want++) {
      const epochNs = view.number(want)
      if (Number.isNaN(epochNs)) continue
      const leadNs = view.startEpochNs - epochNs
      const exactNs = view.exactNs(want)
      return leadNs < 0 ? Math.min(0, leadNs + CLOCK_NS) : Math.max(0, leadNs - (exactNs > 1 ? exactNs : 0))
    }
    return NaN
  }
}

/** Clocks of two hosts are allowed to differ by this much: a request cannot have been taken up before it came. */
const CLOCK_NS = 1e9
