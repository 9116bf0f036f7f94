import { createCounters, type Counters } from '../runtime/counters.ts'
import { refusalReasons, type Refusal } from './refusals.ts'

export const protocols = ['grpc', 'http_protobuf', 'http_json'] as const
export type Protocol = (typeof protocols)[number]
export const cutReasons = ['full', 'silent', 'idle', 'age', 'drain_timeout', 'unread', 'unknown_protocol'] as const

export const acceptCounters = {
  tail_ingest_requests_total: {
    help: 'Export requests whose body was taken and decoded.',
    label: 'protocol',
    values: protocols
  },
  tail_ingest_wire_bytes_total: {
    help: 'Bytes of those bodies as they came, compressed or not.',
    label: 'protocol',
    values: protocols
  },
  tail_ingest_body_bytes_total: {
    help: 'Bytes of those bodies after decompression.',
    label: 'protocol',
    values: protocols
  },
  tail_requests_refused_total: {
    help: 'Requests that were answered with an error, or given up by their sender.',
    label: 'reason',
    values: refusalReasons
  },
  tail_client_limits_overflow_total: {
    help: 'Requests counted by the one limit that clients share beyond accept.client_limits.clients_max.'
  },
  tail_ingest_connections_total: {
    help: 'Connections taken, by the protocol their first bytes spoke.',
    label: 'protocol',
    values: ['http1', 'http2']
  },
  tail_ingest_connections_cut_total: {
    help: 'Connections that this side ended: too many of them, silent at the start, idle, old, not done when draining ended, leaving its answers unread, or speaking neither HTTP/1 nor HTTP/2.',
    label: 'reason',
    values: cutReasons
  }
} as const

export type AcceptCounters = Counters<typeof acceptCounters>

export function createAcceptCounters(): AcceptCounters {
  return createCounters(acceptCounters)
}

export function countRefusal(counters: AcceptCounters, refusal: Refusal): void {
  counters.add('tail_requests_refused_total', 1, refusalReasons.indexOf(refusal.reason))
}

export function countCut(counters: AcceptCounters, reason: (typeof cutReasons)[number]): void {
  counters.add('tail_ingest_connections_cut_total', 1, cutReasons.indexOf(reason))
}
