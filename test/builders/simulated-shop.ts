import { createRandom } from './random.ts'
import {
  createActivity,
  type Activity,
  type Interval,
  type SimulatedProcess,
  type SimulatedSpan
} from './simulated-process.ts'

/**
 * A shop as a discrete-event simulation, whose truth is known to the nanosecond:
 *
 *   gateway (Go) ──> inventory (Go): lead, FIFO queue with 4 workers, query, trail
 *           └──(at the same time)──> pricing (Rust, tokio): compute, call ──> rates (Go)
 *
 * Requests arrive by Poisson. Trouble is paired with what looks like it, and hits a few percent of the requests.
 */
export const simulatedCauses = {
  none: 'nothing',
  queue: 'bursts of requests: the workers of inventory have a queue',
  stall: 'inventory stands still: scheduling',
  gc: 'inventory stands still, and collects all the time: gc',
  'slow-database': 'all queries of inventory are slow for a while: downstream, looks like a stall',
  'lone-work': 'single requests of inventory compute for long: processing',
  'lone-sleep': 'single requests of inventory sleep without a span: unattributed, looks like work',
  'rust-work': 'single requests of pricing compute for long: processing, which busy_ns shows',
  'rust-sleep': 'single requests of pricing sleep without a span: unattributed',
  'held-connections': 'something without a span holds all connections of pricing: queue_wait, looks like sleep',
  'slow-handover': 'single calls of a Rust library in the gateway take long to hand over: processing, looks like sleep',
  'late-caller': 'pricing notices answers late: scheduling behind the end of the far side'
} as const
export type SimulatedCause = keyof typeof simulatedCauses

export interface SimulatedOptions {
  readonly cause: SimulatedCause
  readonly seed: number
  readonly seconds: number
  /** Requests a second. */
  readonly rate?: number
  /** Inventory records its queue as a span `queue_wait`. */
  readonly waitSpans?: boolean
  /** Pricing says that its wake-ups, and inventory that its requests' beginnings, were late by at most so many ns more than they were. */
  readonly unwatchedSlackNs?: number
  /** Pricing says that it accounts for what its calls wait for. */
  readonly accounts?: boolean
}

export interface SimulatedShop {
  readonly options: SimulatedOptions
  readonly processes: readonly SimulatedProcess[]
  readonly spans: readonly SimulatedSpan[]
  /** When the cause was at work; empty where it hits single requests. */
  readonly episodes: readonly Interval[]
}

const WORKERS = 4
/** In a burst so many times as many requests come. */
const BURST = 20
const US = 1e3
const MS = 1e6
/** One way, between two processes of a host. */
const WIRE_NS = 120 * US
const LONE_SHARE = 0.02

interface Visit {
  readonly root: SimulatedSpan
  readonly main: Activity
  readonly calls: SimulatedSpan[]
  answeredNs: number[]
}

export function simulateShop(options: SimulatedOptions): SimulatedShop {
  const { cause, seed, seconds, rate = 200, waitSpans = false, unwatchedSlackNs, accounts = false } = options
  const random = createRandom(seed)
  const episodes = episodesOf(cause, seconds, random)
  const none: readonly Interval[] = []
  const process = (
    service: string,
    language: 'go' | 'rust',
    own: Partial<SimulatedProcess> = {}
  ): SimulatedProcess => ({
    service,
    pid: 100 + service.length,
    language,
    stalls: none,
    stallPhase: 'scheduling',
    deaf: none,
    ...own
  })
  const stands = cause === 'stall' || cause === 'gc'
  const gateway = process('gateway', 'go')
  const inventory = process('inventory', 'go', {
    stalls: stands ? episodes : none,
    stallPhase: cause === 'gc' ? 'gc' : 'scheduling'
  })
  const pricing = process('pricing', 'rust', { deaf: cause === 'late-caller' ? episodes : none })
  const rates = process('rates', 'go')
  const library = process('gateway', 'rust')
  const spans: SimulatedSpan[] = []

  /** Log-normal around a median, as code and queries are. */
  function about(medianNs: number, spread = 0.15): number {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    return medianNs * Math.exp(spread * normal)
  }

  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('')

  interface Opening {
    readonly name: string
    readonly kind: SimulatedSpan['kind']
    readonly parent?: SimulatedSpan
    readonly attributes?: Record<string, string | number>
  }

  function open(process: SimulatedProcess, activity: Activity, { parent, ...opening }: Opening): SimulatedSpan {
    const span: SimulatedSpan = {
      attributes: {},
      ...opening,
      parent,
      process,
      traceId: parent?.traceId ?? hex(32),
      spanId: hex(16),
      startNs: activity.nowNs(),
      endNs: 0,
      before: opening.kind === 'server' ? activity.late : undefined,
      pieces: []
    }
    spans.push(span)
    return span
  }

  function close(span: SimulatedSpan, activity: Activity): void {
    span.endNs = activity.nowNs()
  }

  function enter(arrivalNs: number): Visit {
    const main = createActivity(gateway, arrivalNs)
    const root = open(gateway, main, {
      name: 'GET /buy/{item}',
      kind: 'server',
      attributes: { 'http.request.method': 'GET', 'http.route': '/buy/{item}', 'http.response.status_code': 200 }
    })
    main.work(root, about(300 * US))
    if (cause === 'slow-handover') callLibrary(root, main)
    const reserve = open(gateway, main, {
      name: 'shop.Inventory/Reserve',
      kind: 'client',
      parent: root,
      attributes: { 'rpc.system': 'grpc', 'rpc.service': 'shop.Inventory', 'rpc.method': 'Reserve' }
    })
    const price = open(gateway, main, {
      name: 'HTTP POST',
      kind: 'client',
      parent: root,
      attributes: { 'http.request.method': 'POST', 'http.response.status_code': 200 }
    })
    return { root, main, calls: [reserve, price], answeredNs: [] }
  }

  /** In the gateway's own process and on its own thread, by way of FFI. */
  function callLibrary(root: SimulatedSpan, main: Activity): void {
    const call = open(gateway, main, { name: 'tax', kind: 'internal', parent: root })
    main.work(call, about(40 * US) + (random() < LONE_SHARE ? about(30 * MS) : 0))
    const answer = open(library, main, { name: 'quote', kind: 'internal', parent: call })
    main.work(answer, about(80 * US))
    close(answer, main)
    main.work(call, about(20 * US))
    close(call, main)
  }

  /** All requests of inventory, in the order in which they join the queue. Gives when each answer is on the gateway's socket. */
  function reserveAll(calls: readonly SimulatedSpan[]): number[] {
    const jobs = calls.map((call) => {
      const activity = createActivity(inventory, call.startNs + about(WIRE_NS))
      const server = open(inventory, activity, {
        name: 'shop.Inventory/Reserve',
        kind: 'server',
        parent: call,
        attributes: { 'rpc.system': 'grpc', 'rpc.service': 'shop.Inventory', 'rpc.method': 'Reserve' }
      })
      if (unwatchedSlackNs !== undefined && activity.late !== undefined) {
        server.attributes['tailspan.unwatched_before_ns'] = lengthOf(activity.late) + unwatchedSlackNs
      }
      activity.work(server, about(150 * US))
      return { activity, server }
    })
    const freeNs = new Array<number>(WORKERS).fill(0)
    const inOrder = jobs.toSorted((a, b) => a.activity.nowNs() - b.activity.nowNs())
    for (const { activity, server } of inOrder) {
      const worker = freeNs.indexOf(Math.min(...freeNs))
      const wait = waitSpans
        ? open(inventory, activity, { name: 'queue_wait', kind: 'internal', parent: server })
        : server
      activity.wait(wait, 'queue_wait', freeNs[worker] as number)
      if (wait !== server) close(wait, activity)
      reserve(activity, server)
      freeNs[worker] = activity.nowNs()
      activity.work(server, about(100 * US))
      close(server, activity)
    }
    return jobs.map(({ server }) => server.endNs + about(WIRE_NS))
  }

  function reserve(activity: Activity, server: SimulatedSpan): void {
    activity.work(server, about(300 * US))
    const query = open(inventory, activity, {
      name: 'SELECT stock',
      kind: 'client',
      parent: server,
      attributes: { 'db.system.name': 'sqlite', 'db.query.summary': 'SELECT stock' }
    })
    const slow = cause === 'slow-database' && within(episodes, activity.nowNs())
    activity.wait(query, 'downstream', activity.nowNs() + about(5 * MS, 0.3) + (slow ? about(40 * MS, 0.1) : 0))
    close(query, activity)
    if (cause === 'lone-work' && random() < LONE_SHARE) activity.work(server, about(30 * MS))
    const sleeps = cause === 'lone-sleep' && random() < LONE_SHARE
    if (sleeps) activity.wait(server, 'unattributed', activity.nowNs() + about(30 * MS))
    activity.work(server, about(200 * US))
  }

  function price(call: SimulatedSpan): number {
    const activity = createActivity(pricing, call.startNs + about(WIRE_NS))
    const server = open(pricing, activity, {
      name: 'POST /price',
      kind: 'server',
      parent: call,
      attributes: { 'http.request.method': 'POST', 'http.route': '/price', 'http.response.status_code': 200 }
    })
    activity.work(server, about(100 * US))
    const compute = open(pricing, activity, { name: 'compute', kind: 'internal', parent: server })
    activity.work(compute, about(600 * US) + (cause === 'rust-work' && random() < LONE_SHARE ? about(30 * MS) : 0))
    close(compute, activity)
    const sleeps = cause === 'rust-sleep' && random() < LONE_SHARE
    if (sleeps) activity.wait(server, 'unattributed', activity.nowNs() + about(30 * MS))
    const held = cause === 'held-connections' && episodes.find((episode) => within([episode], activity.nowNs()))
    activity.work(server, 20 * US)
    if (held) activity.wait(server, 'queue_wait', held.toNs)
    const outgoing = open(pricing, activity, {
      name: 'GET',
      kind: 'client',
      parent: server,
      attributes: { 'http.request.method': 'GET', 'http.response.status_code': 200 }
    })
    activity.work(outgoing, about(20 * US))
    activity.wait(outgoing, 'downstream', askRates(outgoing, activity.nowNs()))
    activity.work(outgoing, about(20 * US))
    close(outgoing, activity)
    if (accounts)
      outgoing.attributes['tailspan.blocked_ns'] = lengthOf({ fromNs: outgoing.startNs, toNs: outgoing.endNs })
    if (unwatchedSlackNs !== undefined) {
      const lateNs = outgoing.pieces.reduce((ns, piece) => ns + (piece.phase === 'scheduling' ? lengthOf(piece) : 0), 0)
      if (lateNs > 0) outgoing.attributes['tailspan.unwatched_ns'] = lateNs + unwatchedSlackNs
    }
    activity.work(server, about(100 * US))
    close(server, activity)
    addPollTimes([server, compute, outgoing])
    return server.endNs + about(WIRE_NS)
  }

  function askRates(call: SimulatedSpan, sentNs: number): number {
    const activity = createActivity(rates, sentNs + about(WIRE_NS))
    const server = open(rates, activity, {
      name: 'GET /rates',
      kind: 'server',
      parent: call,
      attributes: { 'http.request.method': 'GET', 'http.route': '/rates', 'http.response.status_code': 200 }
    })
    activity.work(server, about(500 * US))
    close(server, activity)
    return server.endNs + about(WIRE_NS)
  }

  /** The gateway's two calls end when it notices the answers; each waits on a goroutine of its own. */
  function leave({ root, main, calls, answeredNs }: Visit): void {
    const endsNs = calls.map((call, i) => {
      const activity = createActivity(gateway, call.startNs)
      activity.wait(call, 'downstream', answeredNs[i] as number)
      close(call, activity)
      return call.endNs
    })
    const rest = createActivity(gateway, Math.max(main.nowNs(), ...endsNs))
    rest.work(root, about(200 * US))
    close(root, rest)
  }

  const visits = arrivalsOf({ seconds, rate, bursts: cause === 'queue' ? episodes : [] }, random).map(enter)
  const reserved = reserveAll(visits.map(({ calls }) => calls[0] as SimulatedSpan))
  for (const [i, visit] of visits.entries()) {
    visit.answeredNs = [reserved[i] as number, price(visit.calls[1] as SimulatedSpan)]
    leave(visit)
  }
  return { options, processes: [gateway, inventory, pricing, rates, library], spans, episodes }
}

/** Two to five percent of the time, with uneven pauses. */
function episodesOf(cause: SimulatedCause, seconds: number, random: () => number): Interval[] {
  const lasting = {
    queue: 6,
    stall: 40,
    gc: 40,
    'slow-database': 60,
    'late-caller': 40,
    'held-connections': 60
  } as const
  if (!(cause in lasting)) return []
  const ms = lasting[cause as keyof typeof lasting]
  const episodes: Interval[] = []
  for (let atMs = 400 + 600 * random(); atMs < seconds * 1e3 - 100; atMs += 1_000 + 1_500 * random()) {
    const lengthMs = ms * (0.6 + 0.8 * random())
    episodes.push({ fromNs: Math.round(atMs * MS), toNs: Math.round((atMs + lengthMs) * MS) })
  }
  return episodes
}

/** Poisson. */
function arrivalsOf(
  { seconds, rate, bursts }: { seconds: number; rate: number; bursts: readonly Interval[] },
  random: () => number
): number[] {
  const arrivals: number[] = []
  const endNs = seconds * 1e9
  const next = (perSecond: number): number => (-Math.log(1 - random()) / perSecond) * 1e9
  for (let ns = next(rate); ns < endNs; ns += next(rate)) arrivals.push(ns)
  for (const { fromNs, toNs } of bursts) {
    for (let ns = fromNs + next(BURST * rate); ns < toNs; ns += next(BURST * rate)) arrivals.push(ns)
  }
  return arrivals.map(Math.round).sort((a, b) => a - b)
}

/** `busy_ns` and `idle_ns` as tracing-opentelemetry counts them: a span is busy whenever its task is polled inside it, children included. */
function addPollTimes(spans: readonly SimulatedSpan[]): void {
  const ran = (span: SimulatedSpan): number =>
    span.pieces.reduce((ns, { phase, fromNs, toNs }) => ns + (phase === 'processing' ? toNs - fromNs : 0), 0)
  for (const span of spans) {
    const within = spans.filter((other) => other === span || other.parent === span)
    const busyNs = within.reduce((ns, other) => ns + ran(other), 0)
    span.attributes['busy_ns'] = busyNs
    span.attributes['idle_ns'] = span.endNs - span.startNs - busyNs
  }
}

function within(intervals: readonly Interval[], ns: number): boolean {
  return intervals.some(({ fromNs, toNs }) => fromNs <= ns && ns < toNs)
}

const lengthOf = ({ fromNs, toNs }: Interval): number => toNs - fromNs
