import { createRandom } from '../builders/random.ts'
import { type LiveService, pause, scrapeUntil, type SettingsFile, startService } from '../builders/live-service.ts'
import { type Exposition } from '../builders/prometheus-text.ts'
import { defineScenario, type Scenario } from './scenario.ts'
import { spanBytes, traceBody } from './senders/bodies.ts'
import { postNoting } from './senders/noting.ts'

const SERVICE = 'keeper'
const SENDERS = 4
const SPANS_A_BODY = 25
const SCRAPE_EVERY_MS = 300
const LIFE_MS = [400, 4_000] as const
const SEED = 4

interface Facts {
  kills: number
  acknowledged: number
  unanswered: number
  /** Requests in the last scrape of each life. */
  counted: number
  /** Requests that were new in the last scrape before a kill: it may not have been written down yet that it was served. */
  mayBeTwice: number
  slowestReadyMs: number
  replayed: number
  damagedBytes: number
}

/** One process after the other, on the same ports and the same folder. */
interface Lives {
  current: LiveService | undefined
  /** Requests in the last scrape, and how many of them were in none before. */
  scraped: number
  newest: number
  scrapedBefore: number
  /** The scrape under way, if any: one that was served whole is in the books when it has ended. */
  scraping: Promise<void>
  ended: boolean
}

const requestsIn = (exposition: Exposition): number => exposition.sum('tail_requests_total', { service_name: SERVICE })

/** Nothing else may scrape this service: what a scrape has shown is settled. So it is not the one that is watched. */
export const killLoop = (name: string, workers: number): Scenario =>
  defineScenario<Facts>({
    name,
    thrown: `SIGKILL at random moments under load, with durability: batch and workers: ${workers}; senders try again what was not answered`,
    async run(bed) {
      const random = createRandom(SEED)
      const lives: Lives = {
        current: undefined,
        scraped: 0,
        newest: 0,
        scrapedBefore: 0,
        scraping: Promise.resolve(),
        ended: false
      }
      const facts: Facts = {
        kills: bed.pick(2, 15),
        acknowledged: 0,
        unanswered: 0,
        counted: 0,
        mayBeTwice: 0,
        slowestReadyMs: 0,
        replayed: 0,
        damagedBytes: 0
      }
      const ports = await begin(lives, settingsIn(bed.folder, workers))
      bed.defer(async () => {
        lives.ended = true
        await lives.current?.stop()
      })
      const settings = settingsIn(bed.folder, workers, ports)
      const senders = Array.from({ length: SENDERS }, () => sendUntilEnded(lives, facts))
      const scraper = scrapeUntilEnded(lives)
      for (let kill = 0; kill < facts.kills; kill++) {
        await pause(LIFE_MS[0] + random() * (LIFE_MS[1] - LIFE_MS[0]))
        await killNow(lives, facts)
        await begin(lives, settings)
        facts.slowestReadyMs = Math.max(facts.slowestReadyMs, lives.current?.readyMs ?? Infinity)
      }
      await pause(1_000)
      lives.ended = true
      await Promise.all([...senders, scraper])
      const last = await lastScrape(lives.current as LiveService, facts.acknowledged - lives.scrapedBefore)
      facts.counted = lives.scrapedBefore + requestsIn(last)
      facts.replayed = last.sum('tail_log_replayed_records_total')
      facts.damagedBytes = last.sum('tail_log_corrupt_bytes_total')
      return facts
    },
    happened: ({ kills, acknowledged, unanswered, counted, mayBeTwice, slowestReadyMs, replayed }) =>
      `${kills} kills: ${acknowledged} requests acknowledged, ${counted} counted (up to ${mayBeTwice} may be twice); ` +
      `${unanswered} bodies sent again; ${replayed} bodies read again after the last; ready after ${Math.round(slowestReadyMs)} ms at most`,
    judge({ acknowledged, counted, mayBeTwice, slowestReadyMs, damagedBytes }, tally) {
      tally.check('nothing acknowledged is lost', counted >= acknowledged, `${counted} counted of ${acknowledged}`)
      const most = acknowledged + mayBeTwice
      tally.check('nothing is counted twice beyond the bound', counted <= most, `${counted} counted of ${most} at most`)
      tally.check('ready within 30 s after each', slowestReadyMs <= 30_000, `${slowestReadyMs} ms`)
      tally.equal('the log is whole after kills', damagedBytes, 0)
    }
  })

interface Ports {
  readonly grpc: number
  readonly http: number
  readonly metrics: number
}

function settingsIn(folder: string, workers: number, ports?: Ports): SettingsFile {
  return {
    workers,
    durability: 'batch',
    segment_log: { directory: `${folder}/log`, segment_bytes: '1MiB' },
    assemble: { quiet_time: '1s' },
    accept: { grpc_port: ports?.grpc ?? 0, http_port: ports?.http ?? 0 },
    expose: { zero_first: '0s', port: ports?.metrics ?? 0 }
  }
}

async function begin(lives: Lives, settings: SettingsFile): Promise<Ports> {
  const service = await startService(settings)
  lives.scraped = 0
  lives.newest = 0
  lives.current = service
  const port = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1))
  return { grpc: port(service.grpc), http: port(service.http), metrics: port(service.metrics) }
}

async function killNow(lives: Lives, facts: Facts): Promise<void> {
  const service = lives.current
  lives.current = undefined
  await service?.kill()
  await lives.scraping
  lives.scrapedBefore += lives.scraped
  facts.mayBeTwice += lives.newest
}

async function scrapeUntilEnded(lives: Lives): Promise<void> {
  while (!lives.ended) {
    lives.scraping = scrapeOnce(lives)
    await lives.scraping
    await pause(SCRAPE_EVERY_MS)
  }
}

async function scrapeOnce(lives: Lives): Promise<void> {
  const scraped = await lives.current?.scrape().catch(() => undefined)
  if (scraped === undefined) return
  const requests = requestsIn(scraped)
  lives.newest = requests - lives.scraped
  lives.scraped = requests
}

/** As an SDK does: one body after the other, and what was not answered again until it is. */
async function sendUntilEnded(lives: Lives, facts: Facts): Promise<void> {
  while (!lives.ended) {
    const body = traceBody(
      SERVICE,
      Array.from({ length: SPANS_A_BODY }, () => spanBytes())
    )
    for (let outcome = ''; outcome !== 'acknowledged';) {
      const service = lives.current
      if (service === undefined) {
        await pause(50)
        continue
      }
      const note = (said: string): void => {
        outcome = said
      }
      await postNoting(service.http, body, {
        account: { service: SERVICE, requests: none, bodies: none, note },
        requests: SPANS_A_BODY
      })
      if (outcome === 'acknowledged') facts.acknowledged += SPANS_A_BODY
      else {
        facts.unanswered += 1
        await pause(50)
      }
    }
    await pause(2)
  }
}

const none = { acknowledged: 0, retryable: 0, refused: 0, unanswered: 0 }

/** The counters when all that is expected is in them, and they have stopped moving. */
async function lastScrape(service: LiveService, expected: number): Promise<Exposition> {
  await scrapeUntil(service, (now) => requestsIn(now) >= expected)
  for (let before = -1; ;) {
    await pause(2_500)
    const now = await service.scrape()
    if (requestsIn(now) === before) return now
    before = requestsIn(now)
  }
}
