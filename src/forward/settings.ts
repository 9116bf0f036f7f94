import { z } from 'zod'
import { durationMs, section, sizeBytes } from '../runtime/setting-kinds.ts'
import { STORE_BYTES_MAX } from './span-store.ts'

/** What may be added to spans. */
export const enrichments = ['phases', 'dominant_phase', 'grades', 'band', 'critical_path', 'keep'] as const
export type EnrichmentName = (typeof enrichments)[number]

/** Which traces a destination wants. */
export const sends = ['all', 'tail'] as const
export type Send = (typeof sends)[number]

export const protocols = ['http', 'grpc'] as const
export type Protocol = (typeof protocols)[number]
export const fullPolicies = ['drop_newest', 'drop_oldest'] as const
export type FullPolicy = (typeof fullPolicies)[number]

const DESTINATIONS_MAX = 16
/** By default, of each destination. */
export const QUEUE_BYTES = 64 * 1024 ** 2
/** What stands for nothing in a header's name or value, and could end it. */
const HEADER_NAME = /^[a-z0-9_.-]+$/
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

const headerName = z.string().regex(HEADER_NAME, 'expected a header name in lower case')
const filePath = z.string().min(1).max(4_096)

const tlsSection = section({
  ca_file: filePath
    .optional()
    .describe('Certificates, PEM, that may have signed the destination’s. The system’s without it.'),
  cert_file: filePath.optional().describe('Own certificate, PEM, for destinations that ask for one; with key_file.'),
  key_file: filePath.optional().describe('Its private key, PEM.'),
  server_name: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('The name that the certificate must have, where it is not the endpoint’s.')
})

const retrySection = section({
  initial: durationMs
    .refine((ms) => ms >= 10, 'expected 10ms or more')
    .default(1_000)
    .describe('Pause after the first failure; each further one doubles it, give or take a half.'),
  max: durationMs
    .default(30_000)
    .describe('It never grows beyond this. What the destination asks for counts where it is longer.'),
  give_up_after: durationMs
    .default(5 * 60_000)
    .describe(
      'Spans that could not be delivered for this long after their turn came are dropped, so that newer ones get theirs.'
    )
})

const destinationSection = section({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'expected lower-case letters, digits, - and _, at most 63')
    .describe('What series and logs call it.'),
  endpoint: z
    .string()
    .refine(isEndpoint, 'expected a URL like http://tempo:4318 or https://otlp.example.com')
    .describe('Where it is: http:// or https://. Over HTTP a path of its own replaces /v1/traces.'),
  protocol: z.enum(protocols).default('http').describe('OTLP over HTTP with protobuf, or over gRPC.'),
  send: z
    .enum(sends)
    .default('all')
    .describe('all: every span that came. tail: only traces of the tail, whole; `tail_of` says which these are.'),
  compression: z
    .enum(['none', 'gzip'])
    .default('none')
    .describe('gzip saves nine tenths of the network, and costs more CPU than everything else that forwarding does.'),
  headers: z
    .record(headerName, z.string().regex(HEADER_VALUE, 'expected no control characters').max(8_192))
    .default({})
    .describe('Sent with every request. For secrets use ${env:NAME} or headers_from_files.'),
  headers_from_files: z
    .record(headerName, filePath)
    .default({})
    .describe(
      'Headers whose value is the content of a file, without white space around it; read again when it changes.'
    ),
  tls: tlsSection.prefault({}).describe('For https://. Files are read again when they change.'),
  timeout: durationMs
    .refine((ms) => ms >= 100, 'expected 100ms or more')
    .default(10_000)
    .describe('How long one request may take.'),
  queue_bytes_max: sizeBytes
    .default(QUEUE_BYTES)
    .describe(
      'Requests that wait for this destination, and those under way; in memory, or with durability in segment_log.directory (files may take twice as much and 64MiB).'
    ),
  on_full: z
    .enum(fullPolicies)
    .default('drop_newest')
    .describe('What gives way when the queue is full. Either is counted; nobody else waits.'),
  concurrency: z.int().min(1).max(64).default(8).describe('Requests under way at once.'),
  retry: retrySection
    .prefault({})
    .describe('What is done when it fails in a way that may pass: no connection, no answer, busy.')
})

/** `forward`: where spans go on to, and with what. */
export const forwardSection = section({
  destinations: z
    .array(destinationSection)
    .max(DESTINATIONS_MAX)
    .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, 'expected different names')
    .default([])
    .describe('OTLP backends that get spans passed on. None: nothing is kept for it, and it costs nothing.'),
  enrich: z
    .array(z.enum(enrichments))
    .default(['phases', 'dominant_phase', 'band', 'critical_path', 'keep'])
    .describe(
      'What is added to spans: phases (tailspan.phase.<phase>, seconds), dominant_phase, grades (tailspan.grade.<phase>) and band of requests, critical_path (tailspan.critical_path_ns) of any span on it, keep (tailspan.keep, tailspan.keep_reason) for a tail sampler behind. An empty list: spans go on at once, as they came.'
    ),
  tail_of: z
    .enum(['root', 'request'])
    .default('root')
    .describe(
      'A trace is of the tail when its root request is above its p99 or over its budget; request: when any request is.'
    ),
  batch_bytes_max: sizeBytes
    .refine((bytes) => bytes >= 1_024 && bytes <= 64 * 1024 ** 2, 'expected 1KiB to 64MiB')
    .default(1024 ** 2)
    .describe('A request is sent when its spans take so much. Most gRPC servers refuse 4MiB.'),
  batch_delay: durationMs.default(1_000).describe('Or when its first span has waited for about so long.'),
  held_bytes_max: sizeBytes
    .refine((bytes) => bytes >= 1024 ** 2 && bytes <= STORE_BYTES_MAX, 'expected 1MiB to 2047MiB')
    .default(256 * 1024 ** 2)
    .describe(
      'Spans whose trace is open wait for what will be added. One more page (256KiB) lets the one with the fewest go on as they came.'
    ),
  drain_timeout: durationMs
    .default(5_000)
    .describe(
      'How long destinations may take at shutdown for what still waits; the rest is dropped and counted, or stays on disk with durability.'
    ),
  enriched_spans_max: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(10_000)
    .describe('Spans of one trace that get attributes; the rest go on as they came. About 60 to 400 bytes each.')
})

export interface RetrySettings {
  readonly initialMs: number
  readonly maxMs: number
  readonly giveUpAfterMs: number
}

export interface TlsFiles {
  readonly caFile: string | undefined
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  readonly serverName: string | undefined
}

export interface DestinationSettings {
  readonly name: string
  readonly endpoint: string
  readonly protocol: Protocol
  readonly send: Send
  readonly gzip: boolean
  readonly headers: Readonly<Record<string, string>>
  readonly headersFromFiles: Readonly<Record<string, string>>
  readonly tls: TlsFiles
  readonly timeoutMs: number
  readonly queueBytesMax: number
  readonly onFull: FullPolicy
  readonly concurrency: number
  readonly retry: RetrySettings
}

/** What is kept and added, wherever it is sent. */
export interface ForwarderSettings {
  /** What at least one destination wants; empty = nothing is forwarded. */
  readonly sends: readonly Send[]
  readonly enrich: readonly EnrichmentName[]
  /** Whether any request of a trace makes it one of the tail's, or only its root. */
  readonly tailOf: 'root' | 'request'
  readonly batchBytesMax: number
  readonly batchDelayMs: number
  readonly heldBytesMax: number
  readonly enrichedSpansMax: number
}

export interface ForwardSettings extends ForwarderSettings {
  readonly destinations: readonly DestinationSettings[]
  readonly drainTimeoutMs: number
}

export function forwardSettings(parsed: z.output<typeof forwardSection>): ForwardSettings {
  return {
    destinations: parsed.destinations.map(destinationSettings),
    sends: sends.filter((send) => parsed.destinations.some((destination) => destination.send === send)),
    enrich: parsed.enrich,
    tailOf: parsed.tail_of,
    batchBytesMax: parsed.batch_bytes_max,
    batchDelayMs: parsed.batch_delay,
    drainTimeoutMs: parsed.drain_timeout,
    heldBytesMax: parsed.held_bytes_max,
    enrichedSpansMax: parsed.enriched_spans_max
  }
}

function destinationSettings(parsed: z.output<typeof destinationSection>): DestinationSettings {
  const { tls, retry } = parsed
  return {
    name: parsed.name,
    endpoint: parsed.endpoint,
    protocol: parsed.protocol,
    send: parsed.send,
    gzip: parsed.compression === 'gzip',
    headers: parsed.headers,
    headersFromFiles: parsed.headers_from_files,
    tls: { caFile: tls.ca_file, certFile: tls.cert_file, keyFile: tls.key_file, serverName: tls.server_name },
    timeoutMs: parsed.timeout,
    queueBytesMax: parsed.queue_bytes_max,
    onFull: parsed.on_full,
    concurrency: parsed.concurrency,
    retry: { initialMs: retry.initial, maxMs: retry.max, giveUpAfterMs: retry.give_up_after }
  }
}

function isEndpoint(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return (url?.protocol === 'http:' || url?.protocol === 'https:') && url.username === '' && url.hash === ''
}
