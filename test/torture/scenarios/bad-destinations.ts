import { pause, scrapeUntil } from '../../builders/live-service.ts'
import { type Exposition } from '../../builders/prometheus-text.ts'
import { decodeRequest } from '../../unit/accept/otlp/otlp-messages.ts'
import { type Mood, startBackend, type TortureBackend } from '../backend.ts'
import { type Bed, defineScenario } from '../scenario.ts'
import { postNoting } from '../senders/noting.ts'
import { createTemplate } from '../senders/template-body.ts'

const SPANS_PER_BODY = 100
const EVERY_MS = 10
/** Longer than a busy machine makes anybody wait. */
const SLOW_ANSWER_MS = 5_000
const RETRY_AFTER_S = 1
/** A timer may be this early. */
const EARLY_MS = 50
const ASKED_MS_MAX = 30_000
const names = ['healthy', 'slow', 'dying'] as const
type Name = (typeof names)[number]
const common = { protocol: 'http', retry: { initial: '50ms', max: '500ms' } }

interface Facts {
  /** Spans acknowledged, by trace id: when. */
  readonly sentMs: ReadonlyMap<string, number>
  /** What each destination took, as often as it took it. */
  readonly took: Readonly<Record<Name, readonly Taken[]>>
  readonly requestsOfDying: TortureBackend['requests']
  readonly answersMs: readonly number[]
  readonly fullest: number
  readonly last: Exposition
}

interface Taken {
  readonly traceId: string
  readonly cameMs: number
}

const spans = (exposition: Exposition, destination: Name, result: string): number =>
  exposition.sum('tail_forward_spans_total', { destination, result })

export const scenario = defineScenario<Facts>({
  name: 'slow and dying destinations',
  thrown: `spans go on to three destinations: one is well, one answers after ${SLOW_ANSWER_MS} ms, one cuts connections, then says 503, then is gone, then is back`,
  ports: names,
  settings: {
    forward: {
      enrich: [],
      batch_bytes_max: '32KiB',
      batch_delay: '100ms',
      destinations: [
        { ...common, name: 'healthy', endpoint: 'http://127.0.0.1:{healthy}' },
        {
          ...common,
          name: 'slow',
          endpoint: 'http://127.0.0.1:{slow}',
          concurrency: 1,
          queue_bytes_max: '256KiB',
          on_full: 'drop_oldest'
        },
        { ...common, name: 'dying', endpoint: 'http://127.0.0.1:{dying}' }
      ]
    }
  },
  async run(bed) {
    const backends = { healthy: await startOne(bed, 'healthy'), slow: await startOne(bed, 'slow') }
    const dying = await startOne(bed, 'dying')
    backends.slow.mood = { kind: 'takes', afterMs: SLOW_ANSWER_MS }
    const load = startLoad(bed)
    const phaseMs = bed.pick(500, 8_000)
    await pause(phaseMs)
    dying.mood = { kind: 'cuts' }
    await pause(phaseMs)
    dying.mood = { kind: 'busy', retryAfterSeconds: RETRY_AFTER_S }
    await untilAsked(dying, 'busy')
    await pause(phaseMs + 1_000 * RETRY_AFTER_S)
    await dying.close()
    await pause(phaseMs)
    const back = await startOne(bed, 'dying')
    await load.stop()
    backends.slow.mood = { kind: 'takes', afterMs: 0 }
    const all = load.sentMs.size
    const last = await scrapeUntil(
      bed.service,
      (now) =>
        spans(now, 'dying', 'sent') >= all &&
        spans(now, 'slow', 'sent') + spans(now, 'slow', 'queue_full') >= all &&
        now.sum('tail_forward_queue_bytes', { destination: 'dying' }) < 32_768,
      { everyMs: 100 }
    )
    const requestsOfDying = [...dying.requests, ...back.requests]
    return {
      sentMs: load.sentMs,
      took: {
        healthy: takenOf(backends.healthy.requests),
        slow: takenOf(backends.slow.requests),
        dying: takenOf(requestsOfDying)
      },
      requestsOfDying,
      answersMs: load.answersMs,
      fullest: load.fullest(),
      last
    }
  },
  happened: ({ sentMs, took, last, answersMs, fullest }) =>
    [
      `of ${sentMs.size} spans the healthy one got ${ofLoad(took.healthy, sentMs).size}, the last after ${Math.round(slowestMs(took.healthy, sentMs))} ms`,
      `the dying one ${ofLoad(took.dying, sentMs).size} after ${last.sum('tail_forward_requests_total', { destination: 'dying', result: 'later' })} failures`,
      `the slow one ${ofLoad(took.slow, sentMs).size} (${spans(last, 'slow', 'queue_full')} dropped and counted, its queue ${Math.round(fullest * 100)} % full at most)`,
      `bodies acknowledged in ${Math.round(answersMs.at(Math.floor(answersMs.length / 2)) ?? 0)} ms, at worst ${Math.round(answersMs.at(-1) ?? 0)} ms`
    ].join('; '),
  judge({ sentMs, took, requestsOfDying, answersMs, fullest, last }, tally) {
    for (const name of ['healthy', 'dying'] as const) {
      tally.equal(`the ${name} one got every span`, ofLoad(took[name], sentMs).size, sentMs.size)
    }
    for (const name of names) tally.equal(`the ${name} one got none twice`, took[name].length, distinct(took[name]))
    const late = slowestMs(took.healthy, sentMs)
    tally.check('the healthy one waits for nobody', late < SLOW_ANSWER_MS, `${late} ms`)
    const worst = answersMs.at(-1) ?? Infinity
    tally.check('senders wait for no destination', worst < SLOW_ANSWER_MS, `${worst} ms`)
    tally.check('no queue is over its limit', fullest <= 1, `${fullest} of it`)
    const missing = sentMs.size - ofLoad(took.slow, sentMs).size
    const dropped = spans(last, 'slow', 'queue_full')
    tally.check(
      'what the slow one missed is counted',
      missing > 0 && dropped >= missing,
      `${missing}, ${dropped} counted`
    )
    const [early = Infinity] = pausesAfterBusy(requestsOfDying).sort((a, b) => a - b)
    tally.check('Retry-After is honoured', early >= 1_000 * RETRY_AFTER_S - EARLY_MS, `a request after ${early} ms`)
    tally.check('it was busy, and asked again', early < Infinity, 'it was never asked while it was busy')
  }
})

async function startOne(bed: Bed, name: Name): Promise<TortureBackend> {
  const backend = await startBackend(bed.port(name))
  bed.defer(backend.close)
  return backend
}

async function untilAsked(backend: TortureBackend, mood: Mood['kind']): Promise<void> {
  const untilMs = performance.now() + ASKED_MS_MAX
  while (performance.now() < untilMs && !backend.requests.some((request) => request.mood === mood)) await pause(20)
}

function takenOf(requests: TortureBackend['requests']): Taken[] {
  return requests
    .filter(({ mood }) => mood === 'takes')
    .flatMap(({ body, cameMs }) =>
      decodeRequest(body)
        .flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans))
        .map(({ traceId = Buffer.alloc(0) }) => ({ traceId: Buffer.from(traceId).toString('hex'), cameMs }))
    )
}

const distinct = (taken: readonly Taken[]): number => new Set(taken.map(({ traceId }) => traceId)).size

function ofLoad(taken: readonly Taken[], sentMs: Facts['sentMs']): Set<string> {
  return new Set(taken.map(({ traceId }) => traceId).filter((traceId) => sentMs.has(traceId)))
}

function slowestMs(taken: readonly Taken[], sentMs: Facts['sentMs']): number {
  return taken.reduce((slowest, { traceId, cameMs }) => Math.max(slowest, cameMs - (sentMs.get(traceId) ?? cameMs)), 0)
}

function pausesAfterBusy(requests: TortureBackend['requests']): number[] {
  return requests.flatMap(({ mood, cameMs }, i) => {
    const next = requests[i + 1]
    return mood === 'busy' && next !== undefined ? [next.cameMs - cameMs] : []
  })
}

interface Load {
  readonly sentMs: ReadonlyMap<string, number>
  /** How long senders waited for their answer, sorted once it has ended. */
  readonly answersMs: number[]
  /** The largest share of its queue that any destination has used. */
  readonly fullest: () => number
  readonly stop: () => Promise<void>
}

function startLoad(bed: Bed): Load {
  const account = bed.ledger.account('load')
  const next = createTemplate(account.service, SPANS_PER_BODY)
  const sentMs = new Map<string, number>()
  const answersMs: number[] = []
  const state = { sending: true, fullest: 0 }

  async function send(): Promise<void> {
    while (state.sending) {
      const body = Buffer.from(next())
      const startMs = performance.now()
      const outcome = await postNoting(bed.service.http, body, { account, requests: SPANS_PER_BODY })
      const nowMs = performance.now()
      answersMs.push(nowMs - startMs)
      if (outcome === 'acknowledged')
        for (const { traceId } of takenOf([{ mood: 'takes', body, cameMs: 0 }])) sentMs.set(traceId, nowMs)
      await pause(EVERY_MS)
    }
  }

  async function look(): Promise<void> {
    while (state.sending) {
      const now = await bed.service.scrape()
      for (const destination of names) {
        const share =
          now.sum('tail_forward_queue_bytes', { destination }) /
          now.sum('tail_forward_queue_max_bytes', { destination })
        state.fullest = Math.max(state.fullest, share)
      }
      await pause(200)
    }
  }

  const done = Promise.all([send(), look()])
  return {
    sentMs,
    answersMs,
    fullest: () => state.fullest,
    async stop() {
      state.sending = false
      await done
      answersMs.sort((a, b) => a - b)
    }
  }
}
