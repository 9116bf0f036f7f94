import { finished, pipeline, type Readable } from 'node:stream'
import { constants, createGzip } from 'node:zlib'
import { type FastifyReply, type FastifyRequest } from 'fastify'
import { type Counters } from '../runtime/counters.ts'
import { CutReason, type exposeCounters } from './counters.ts'
import { type Exposition } from './exposition.ts'
import { acceptsGzip, chooseFormat, contentTypes, formats, type Format } from './negotiate.ts'
import { type SampledFamily } from './sampled-family.ts'
import { type ExposeSettings } from './settings.ts'
import { sliceStream, type Turn } from './slice-stream.ts'
import { type ExposeTools } from './sources.ts'

export interface ScraperParts {
  readonly settings: ExposeSettings
  readonly tools: ExposeTools
  readonly counters: Counters<typeof exposeCounters>
  readonly exposition: Exposition
  /** The series beside the tables, as they are now. */
  readonly families: () => Promise<readonly SampledFamily[]>
  /** Told when a scrape begins, and by what it gives when all of it was sent. */
  readonly begins: () => () => void
  readonly observeMs: (format: Format, ms: number) => void
  readonly turn: Turn
}

/** Answers GET and HEAD of /metrics. */
export interface Scraper {
  readonly answer: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>
  /** Whether anyone has ever scraped. */
  readonly wasScraped: () => boolean
  /** Resolves when a scrape that begins after this call has been answered to its last byte. */
  readonly nextScrape: () => Promise<void>
}

export function createScraper(parts: ScraperParts): Scraper {
  const { settings, tools, counters, exposition, families } = parts
  let running = 0
  let begun = 0
  let waiting: { readonly after: number; readonly resolve: () => void }[] = []

  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const format = chooseFormat(request.headers.accept)
    const gzip = acceptsGzip(singleHeader(request.headers['accept-encoding']))
    const headers = {
      'content-type': contentTypes[format],
      vary: 'accept, accept-encoding',
      ...(gzip && { 'content-encoding': 'gzip' })
    }
    if (request.method === 'HEAD') return reply.headers(headers).send()
    if (running >= settings.scrapesMax) {
      counters.add('tail_scrapes_refused_total')
      void reply.code(503).header('retry-after', '1')
      return reply.send({ error: `${settings.scrapesMax} scrapes are under way (scrapes_max)` })
    }
    running += 1
    begun += 1
    const scrape = watch(reply, format, { number: begun, served: parts.begins() })
    const slices = sliceStream(exposition(format, await families()), parts.turn)
    scrape.cutsOff(slices)
    return reply.headers(headers).send(gzip ? gzipped(slices) : slices)
  }

  /** Counts how the scrape ends, and ends it when its reader is too slow. */
  function watch(
    reply: FastifyReply,
    format: Format,
    { number, served }: { readonly number: number; readonly served: () => void }
  ): { cutsOff: (slices: Readable) => void } {
    const startMs = tools.nowMs()
    let source: Readable | undefined
    let reason: number = CutReason.reader
    const timer = setTimeout(() => {
      reason = CutReason.timeout
      source?.destroy()
      reply.raw.destroy()
    }, settings.scrapeTimeoutMs)
    finished(reply.raw, (failure) => {
      clearTimeout(timer)
      running -= 1
      if (failure || reply.statusCode !== 200) {
        source?.destroy()
        counters.add('tail_scrapes_cut_total', 1, failure ? reason : CutReason.fault)
        return
      }
      served()
      counters.add('tail_scrapes_total', 1, formats.indexOf(format))
      parts.observeMs(format, tools.nowMs() - startMs)
      const ended = waiting.filter(({ after }) => number > after)
      waiting = waiting.filter(({ after }) => number <= after)
      for (const { resolve } of ended) resolve()
    })
    return {
      cutsOff(slices) {
        source = slices
        slices.once('error', (fault) => {
          reason = CutReason.fault
          tools.log.error({ err: fault, format }, 'a scrape failed')
        })
      }
    }
  }

  return {
    answer,
    wasScraped: () => begun > 0,
    nextScrape: () =>
      new Promise((resolve) => {
        waiting.push({ after: begun, resolve })
      })
  }
}

function gzipped(slices: Readable): Readable {
  const gzip = createGzip({ level: constants.Z_BEST_SPEED })
  pipeline(slices, gzip, () => undefined)
  return gzip
}

function singleHeader(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value
}
