import { z } from 'zod'
import { tlsSection, tlsSettings, type TlsSettings } from '../access/settings.ts'
import { durationMs, section } from '../runtime/setting-kinds.ts'

/** `expose`: who may read the answers, and how much a reader may cost. */
export const exposeSection = section({
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address of metrics, API and health. Beyond loopback anyone who reaches it may read operation names.'),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(9464)
    .describe('Port of metrics, API and health; 0 takes a free one, which the first log lines name.'),
  tls: tlsSection
    .prefault({})
    .describe(
      'TLS of this port. It speaks one or the other: with a certificate, health checks and Prometheus come by https.'
    ),
  zero_first: durationMs
    .default(30_000)
    .describe(
      'A new series shows 0 until it is this old, so that rate() and increase() see its first value. Set it to the scrape interval.'
    ),
  scrape_timeout: durationMs
    .default(10_000)
    .describe('A scrape that is not read within this time is cut off. Not below scrape_timeout of Prometheus.'),
  scrapes_max: z
    .int()
    .min(1)
    .max(64)
    .default(4)
    .describe('Scrapes answered at the same time; one more gets 503. Raise it when many Prometheus servers scrape.'),
  header_timeout: durationMs
    .default(5_000)
    .describe('A connection that has not sent its request within this time is closed.'),
  connections_max: z
    .int()
    .min(8)
    .max(100_000)
    .default(256)
    .describe('Open connections; further ones are closed at once. Raise it when many people read the API.'),
  traces_max: z
    .int()
    .min(1)
    .max(1_000)
    .default(20)
    .describe('Slow traces named in one answer of /api/v1/tail. More make the answer longer, not better.'),
  page_max: z
    .int()
    .min(1)
    .max(10_000)
    .default(500)
    .describe('Operations in one page of /api/v1/operations. Lower it when readers are slow.'),
  waterfall_spans_max: z
    .int()
    .min(100)
    .max(1_000_000)
    .default(50_000)
    .describe(
      'Spans of one trace that the page is given to draw, the first by start. About 150 bytes each, uncompressed.'
    ),
  prometheus_url: z
    .string()
    .max(2_048)
    .refine((url) => url === '' || isHttpUrl(url), 'expected a URL like http://prometheus:9090')
    .default('')
    .describe(
      'Where readers of the page reach the Prometheus that scrapes this. With it every number links to its query there; without it the query is shown to be copied.'
    )
})

function isHttpUrl(text: string): boolean {
  return /^https?:$/.test(URL.parse(text)?.protocol ?? '')
}

export interface ExposeSettings {
  readonly host: string
  readonly port: number
  /** Undefined = in the clear. */
  readonly tls: TlsSettings | undefined
  readonly zeroFirstMs: number
  readonly scrapeTimeoutMs: number
  readonly scrapesMax: number
  readonly headerTimeoutMs: number
  readonly connectionsMax: number
  readonly tracesMax: number
  readonly pageMax: number
  readonly waterfallSpansMax: number
  /** Empty = none. */
  readonly prometheusUrl: string
}

export function exposeSettings(parsed: z.output<typeof exposeSection>): ExposeSettings {
  return {
    host: parsed.host,
    port: parsed.port,
    tls: tlsSettings(parsed.tls),
    zeroFirstMs: parsed.zero_first,
    scrapeTimeoutMs: parsed.scrape_timeout,
    scrapesMax: parsed.scrapes_max,
    headerTimeoutMs: parsed.header_timeout,
    connectionsMax: parsed.connections_max,
    tracesMax: parsed.traces_max,
    pageMax: parsed.page_max,
    waterfallSpansMax: parsed.waterfall_spans_max,
    prometheusUrl: parsed.prometheus_url
  }
}
