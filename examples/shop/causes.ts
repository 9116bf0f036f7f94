/** The causes that the shop can make happen, in one table. To add one: a row here, and its name in the service's switchboard. */
import { type PhaseName } from '../../src/model/phases.ts'
import { createRandom } from '../../test/builders/random.ts'

export type ServiceName = 'gateway' | 'inventory' | 'pricing' | 'shipping'

interface Range {
  readonly least: number
  readonly most: number
}

/** What the slowest requests really wait for, and where. */
export interface Truth {
  readonly service: ServiceName
  readonly phase: PhaseName
}

export interface Cause {
  /** What is done, for people. */
  readonly title: string
  /** Nothing for causes that slow nobody. */
  readonly truth?: Truth
  /** Where the critical path of the whole trace goes on to, into the service that a wait for a peer is spent in: if not the same. */
  readonly path?: Truth
  /** Switched on together for the length of an episode. */
  readonly switches: readonly ServiceName[]
  /** How long an episode is, if not as long as others. */
  readonly lengthMs?: Range
  /** Settings that a service has for the whole run. */
  readonly environment?: Readonly<Partial<Record<ServiceName, Readonly<Record<string, string>>>>>
  /** How far the clock of a service's spans is ahead, for the whole run. */
  readonly skewMs?: Readonly<Partial<Record<ServiceName, number>>>
}

const SHARDS = 4

/** For causes that need processors: in a long episode a few requests at a time suffer, so that they do not queue for those. */
const LONG_MS: Range = { least: 500, most: 900 }

export const causes = {
  none: { title: 'nothing: the natural tail', switches: [] },
  queue: {
    title: 'a batch fills the worker pool of inventory',
    truth: { service: 'inventory', phase: 'queue_wait' },
    switches: ['inventory']
  },
  'db-pool': {
    title: 'slow reports hold the database connections of inventory',
    truth: { service: 'inventory', phase: 'queue_wait' },
    switches: ['inventory']
  },
  starve: {
    title: 'goroutines of inventory hog its one processor',
    truth: { service: 'inventory', phase: 'scheduling' },
    switches: ['inventory'],
    environment: { inventory: { GOMAXPROCS: '1' } }
  },
  gc: {
    title: 'inventory collects a big heap far too often',
    // Two processors would be taken by those who mark: the others' wait for one would be the cause.
    truth: { service: 'inventory', phase: 'gc' },
    switches: ['inventory'],
    lengthMs: LONG_MS,
    environment: { inventory: { SHOP_LIVE_NODES: '500000', GOMAXPROCS: '4' } }
  },
  'tokio-stall': {
    title: 'tasks of pricing block all its workers',
    truth: { service: 'pricing', phase: 'scheduling' },
    switches: ['pricing']
  },
  allocator: {
    title: 'pricing allocates under contention',
    truth: { service: 'pricing', phase: 'allocator' },
    switches: ['pricing'],
    lengthMs: LONG_MS
  },
  burn: {
    title: 'requests of inventory and pricing compute for long',
    truth: { service: 'inventory', phase: 'processing' },
    switches: ['inventory', 'pricing'],
    lengthMs: LONG_MS
  },
  'slow-dependency': {
    title: 'the database of inventory and the upstream of pricing are slow',
    truth: { service: 'inventory', phase: 'downstream' },
    switches: ['inventory', 'pricing']
  },
  sleep: {
    title: 'code of inventory sleeps, and no span says so',
    truth: { service: 'inventory', phase: 'unattributed' },
    switches: ['inventory']
  },
  retry: {
    title: 'calls of inventory hang or are refused: the gateway gives up and tries again',
    truth: { service: 'gateway', phase: 'downstream' },
    path: { service: 'inventory', phase: 'unattributed' },
    switches: ['inventory'],
    environment: { gateway: { SHOP_ATTEMPT_TIMEOUT_MS: '40' } }
  },
  hedge: {
    title: 'calls of inventory hang: the gateway asks a second time beside them',
    truth: { service: 'gateway', phase: 'downstream' },
    path: { service: 'inventory', phase: 'unattributed' },
    switches: ['inventory'],
    environment: { gateway: { SHOP_HEDGE_MS: '25' } }
  },
  straggler: {
    title: `the gateway asks ${SHARDS} shards of inventory, and one is slow`,
    truth: { service: 'gateway', phase: 'downstream' },
    path: { service: 'inventory', phase: 'unattributed' },
    switches: ['inventory'],
    environment: { gateway: { SHOP_SHARDS: String(SHARDS) } }
  },
  ffi: {
    title: 'handing the order over to the tax library is slow',
    truth: { service: 'gateway', phase: 'processing' },
    switches: ['gateway'],
    lengthMs: LONG_MS
  },
  skew: {
    title: 'the clocks of the services differ by tens of milliseconds',
    switches: [],
    skewMs: { gateway: 0, inventory: -35, pricing: 60, shipping: 25 }
  }
} as const satisfies Readonly<Record<string, Cause>>

export type CauseName = keyof typeof causes

export const causeNames = Object.keys(causes) as CauseName[]

export const isCauseName = (name: string): name is CauseName => Object.hasOwn(causes, name)

/** From the table's row, without what the literal types know: the runner treats all causes alike. */
export const causeOf = (name: CauseName): Cause => causes[name]

/** An episode to come, in milliseconds from the start of the load. */
export interface PlannedEpisode {
  readonly atMs: number
  readonly lengthMs: number
}

/** Connections are made and pages touched for the first time; episodes begin after that. */
const WARM_UP_MS = 3_000
/** An episode of 180 ms in 6 s hits some 3 % of the requests: more than the slowest 1 %, and few enough to be a tail. */
const LENGTH_MS: Range = { least: 120, most: 240 }
const GAP_MS: Range = { least: 4_000, most: 8_000 }

/** Depends on the seed alone, so that a longer run begins like a shorter one. */
export function planEpisodes(name: CauseName, { seed, seconds }: { seed: number; seconds: number }): PlannedEpisode[] {
  const planned: PlannedEpisode[] = []
  if (causeOf(name).switches.length === 0) return planned
  const random = createRandom(seed)
  const between = ({ least, most }: Range): number => Math.round(least + random() * (most - least))
  for (let atMs = WARM_UP_MS; ; atMs += between(GAP_MS)) {
    const lengthMs = between(causeOf(name).lengthMs ?? LENGTH_MS)
    if (atMs + lengthMs > seconds * 1e3) return planned
    planned.push({ atMs, lengthMs })
  }
}
