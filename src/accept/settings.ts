import { z } from 'zod'
import { tlsSection, tlsSettings, type ClientLimitSettings, type TlsSettings } from '../access/settings.ts'
import { durationMs, section, sizeBytes } from '../runtime/setting-kinds.ts'

const port = z.int().min(0).max(65_535)
const count = z.int().min(1)
const MIB = 1024 ** 2
/** Timers of Node go no further than 24.8 days; a connection's age is stretched by jitter. */
const TIMER_MAX_MS = 20 * 86_400_000
const timeout = durationMs.refine((ms) => ms >= 1 && ms <= TIMER_MAX_MS, 'expected 1ms to 20d')
const bodySize = sizeBytes.refine((bytes) => bytes >= 1 && bytes <= 1024 * MIB, 'expected 1B to 1GiB')

const corsSection = section({
  allowed_origins: z
    .array(z.string().min(1).max(512))
    .default([])
    .describe(
      'Origins of pages whose browsers may send OTLP/HTTP, such as https://shop.example; * for any run of characters. Empty: none.'
    ),
  allowed_headers: z
    .array(z.string().min(1).max(256))
    .default([])
    .describe(
      'Headers that they may set beside content-type, content-encoding and authorization; "*" for whatever they ask for.'
    ),
  max_age: durationMs.default(7_200_000).describe('How long a browser need not ask again.')
})

const clientLimitsSection = section({
  requests_per_second: z
    .union([z.literal('off'), z.number().gt(0).max(1e9)])
    .default('off')
    .describe('Export requests of one client, on average.'),
  bytes_per_second: z
    .union([z.literal('off'), sizeBytes.refine((bytes) => bytes >= 1, 'expected at least 1B')])
    .default('off')
    .describe('Bytes of their bodies after decompression, on average. One body may overdraw it, and is waited for.'),
  burst: timeout
    .default(10_000)
    .describe('A client that was silent may send what these averages allow in so long at once.'),
  clients_max: count
    .max(1_000_000)
    .default(10_000)
    .describe('Clients told apart at once, 0.2 KiB each; the rest share one limit.')
})

export const acceptSection = section({
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address to listen on. Widen it (0.0.0.0) when senders run on other hosts or in other containers.'),
  grpc_port: port
    .default(4317)
    .describe(
      'Where SDKs look for OTLP/gRPC; serves every protocol. Change it when another collector owns it; 0 = any.'
    ),
  http_port: port
    .default(4318)
    .describe(
      'Where SDKs look for OTLP/HTTP; serves every protocol. Change it when another collector owns it; 0 = any.'
    ),
  request_bytes_max: bodySize
    .default(64 * MIB)
    .describe('Largest request body, before and after decompression. Lower it to protect a small machine.'),
  in_flight_bytes_max: sizeBytes
    .default(256 * MIB)
    .describe(
      'All bodies being read, or held until they are on disk, over all connections. Beyond it senders are told to come back later.'
    ),
  headers_timeout: timeout
    .default(10_000)
    .describe('How long a sender may take over its first bytes and over the headers of a request.'),
  body_timeout: timeout
    .default(30_000)
    .describe('How long a sender may take over the body of a request. Raise it for senders on slow links.'),
  idle_timeout: timeout
    .default(120_000)
    .describe('A connection without requests is closed after this long. Keep it above the senders’ export interval.'),
  connection_age_max: timeout
    .default(3_600_000)
    .describe('A connection is asked to reconnect after about this long, so that load spreads over new instances.'),
  connections_max: count
    .default(4096)
    .describe('Connections on both ports together. Raise it when more processes than that send directly.'),
  streams_max: count.default(128).describe('Requests at once on one HTTP/2 connection.'),
  tls: tlsSection.prefault({}).describe('TLS of both ports. With a certificate nothing is taken in the clear.'),
  cors: corsSection.prefault({}).describe('For exporters in web pages.'),
  client_limits: clientLimitsSection
    .prefault({})
    .describe(
      'A client is a name in access.credentials, else an IPv4 address or the /64 of an IPv6 address. Beyond its limits it is told when to come back.'
    ),
  span_age_max: z
    .union([z.literal('off'), durationMs])
    .default('off')
    .describe('Spans that ended longer ago than this are refused. Set it when senders replay old data by mistake.')
}).refine((accept) => accept.in_flight_bytes_max >= accept.request_bytes_max, {
  path: ['in_flight_bytes_max'],
  message: 'expected at least request_bytes_max: the largest request would never fit'
})

export interface CorsSettings {
  readonly allowedOrigins: readonly string[]
  readonly allowedHeaders: readonly string[]
  readonly maxAgeMs: number
}

/** Settings of accept, checked and in one unit each. */
export interface AcceptSettings {
  readonly host: string
  readonly grpcPort: number
  readonly httpPort: number
  readonly requestBytesMax: number
  readonly inFlightBytesMax: number
  readonly headersTimeoutMs: number
  readonly bodyTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly connectionAgeMaxMs: number
  readonly connectionsMax: number
  readonly streamsMax: number
  /** Undefined = in the clear. */
  readonly tls: TlsSettings | undefined
  readonly cors: CorsSettings
  readonly clientLimits: ClientLimitSettings
  /** Infinity = off. */
  readonly spanAgeMaxMs: number
}

export function acceptSettings(parsed: z.output<typeof acceptSection>): AcceptSettings {
  return {
    host: parsed.host,
    grpcPort: parsed.grpc_port,
    httpPort: parsed.http_port,
    requestBytesMax: Math.floor(parsed.request_bytes_max),
    inFlightBytesMax: Math.floor(parsed.in_flight_bytes_max),
    headersTimeoutMs: parsed.headers_timeout,
    bodyTimeoutMs: parsed.body_timeout,
    idleTimeoutMs: parsed.idle_timeout,
    connectionAgeMaxMs: parsed.connection_age_max,
    connectionsMax: parsed.connections_max,
    streamsMax: parsed.streams_max,
    tls: tlsSettings(parsed.tls),
    cors: corsSettings(parsed.cors),
    clientLimits: clientLimitSettings(parsed.client_limits),
    spanAgeMaxMs: parsed.span_age_max === 'off' ? Infinity : parsed.span_age_max
  }
}

function corsSettings(parsed: z.output<typeof corsSection>): CorsSettings {
  return {
    allowedOrigins: parsed.allowed_origins,
    allowedHeaders: parsed.allowed_headers,
    maxAgeMs: parsed.max_age
  }
}

function clientLimitSettings(parsed: z.output<typeof clientLimitsSection>): ClientLimitSettings {
  const rate = (given: number | 'off'): number => (given === 'off' ? Infinity : given)
  return {
    requestsPerSecond: rate(parsed.requests_per_second),
    bytesPerSecond: rate(parsed.bytes_per_second),
    burstMs: parsed.burst,
    clientsMax: parsed.clients_max
  }
}
