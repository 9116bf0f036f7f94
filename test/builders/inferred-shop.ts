import { createPasses } from '../../src/programs/analyze/passes.ts'
import { phases, type PhaseName, PHASE_SLOTS, GRADES } from '../../src/model/phases.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import type { Decomposition } from '../../src/model/decomposition.ts'
import { metricRequests, traceRequests, truthLines } from './simulated-otlp.ts'
import type { SimulatedShop, SimulatedOptions } from './simulated-shop.ts'
import { simulateShop } from './simulated-shop.ts'

export type Phases = Record<PhaseName, number>

/** A request as it was, and as it was decomposed. */
export interface JudgedRequest {
  readonly service: string
  readonly durationNs: number
  readonly truth: Phases
  readonly said: Phases
  readonly measured: Phases
}

export interface ShopOptions extends SimulatedOptions {
  /** Rules switched off. */
  readonly without?: readonly string[]
  /** Leave the runtime metrics out. */
  readonly noMetrics?: boolean
  /** Payloads in this order of their indexes; in the order of export by default. */
  readonly order?: (payloads: number) => number[]
}

/** ns blamed on a service for a phase, over all traces; throws where a trace's blame does not add up to its root. */
export type Blamed = Map<string, number>

/** Runs a simulated shop through both passes of `analyze`; `blamed` is filled by `service phase`. */
export function judgeShop(options: ShopOptions, blamed: Blamed = new Map()): JudgedRequest[] {
  const shop = simulateShop(options)
  const settings = loadSettings(
    `decompose: {inference: {without: [${(options.without ?? []).join(', ')}]}}`,
    'test',
    {}
  )
  const passes = createPasses({
    settings,
    failed(reason) {
      throw reason
    }
  })
  const traces = traceRequests(shop).map((json) => ({ signal: 'traces' as const, json }))
  const metrics = options.noMetrics === true ? [] : metricRequests(shop)
  const all = [...traces, ...metrics.map((json) => ({ signal: 'metrics' as const, json }))]
  const order = options.order?.(all.length) ?? all.map((_, i) => i)
  const payloads = order.map((i) => {
    const { signal, json } = all[i] as (typeof all)[number]
    return { where: 'simulated', signal, encoding: 'json' as const, bytes: Buffer.from(JSON.stringify(json)) }
  })
  const learn = passes.learn()
  for (const payload of payloads) learn.take(payload)
  learn.end()
  const said = new Map<string, { phases: Phases; measured: Phases }>()
  const decide = passes.decide((decomposition) => {
    collect(decomposition, said)
    addBlame(decomposition, blamed, (id) => passes.names.strings.text(id))
  })
  for (const payload of payloads) decide.take(payload)
  decide.end()
  return compare(shop, said)
}

function addBlame({ blame, requests, rootRequest }: Decomposition, to: Blamed, text: (id: number) => string): void {
  let sumNs = 0
  for (let i = 0; i < blame.n; i++) {
    const ns = blame.ns[i] as number
    const key = `${text(blame.service[i] as number)} ${phases[blame.phase[i] as number] ?? ''}`
    to.set(key, (to.get(key) ?? 0) + ns)
    sumNs += ns
  }
  if (sumNs !== requests.durationNs[rootRequest]) throw new Error(`blame adds up to ${sumNs} ns of a root's`)
}

function zeros(): Phases {
  return Object.fromEntries(phases.map((phase) => [phase, 0])) as Phases
}

function collect({ requests, trace }: Decomposition, said: Map<string, { phases: Phases; measured: Phases }>): void {
  for (let request = 0; request < requests.n; request++) {
    const sums = zeros()
    const measured = zeros()
    for (let slot = 0; slot < PHASE_SLOTS; slot++) {
      const phase = phases[Math.floor(slot / GRADES)] as PhaseName
      const ns = requests.phaseNs[request * PHASE_SLOTS + slot] as number
      sums[phase] += ns
      if (slot % GRADES === 0) measured[phase] += ns
    }
    const span = requests.span[request] as number
    const word = (i: number): string => (trace.spanId[2 * span + i] as number).toString(16).padStart(8, '0')
    said.set(word(0) + word(1), { phases: sums, measured })
  }
}

function compare(shop: SimulatedShop, said: Map<string, { phases: Phases; measured: Phases }>): JudgedRequest[] {
  const truth = new Map(truthLines(shop).map((line) => [line.span_id, line.self]))
  const byRequest = new Map<string, Phases>()
  const entryOf = (span: SimulatedShop['spans'][number]): SimulatedShop['spans'][number] => {
    let entry = span
    while (entry.parent !== undefined && entry.parent.process.service === entry.process.service) entry = entry.parent
    return entry
  }
  for (const span of shop.spans) {
    const entry = entryOf(span)
    const sums = byRequest.get(entry.spanId) ?? zeros()
    byRequest.set(entry.spanId, sums)
    const self = truth.get(span.spanId) ?? zeros()
    for (const phase of phases) sums[phase] += self[phase]
  }
  return shop.spans
    .filter((span) => entryOf(span) === span)
    .map((span) => ({
      service: span.process.service,
      durationNs: span.endNs - span.startNs,
      truth: byRequest.get(span.spanId) ?? zeros(),
      said: said.get(span.spanId)?.phases ?? zeros(),
      measured: said.get(span.spanId)?.measured ?? zeros()
    }))
}

/** The slowest share of a service's requests. */
export function tailOf(requests: readonly JudgedRequest[], service: string, share = 0.02): JudgedRequest[] {
  const of = requests.filter((request) => request.service === service).sort((a, b) => b.durationNs - a.durationNs)
  return of.slice(0, Math.max(1, Math.floor(share * of.length)))
}

export function meanMs(requests: readonly JudgedRequest[], view: 'truth' | 'said' | 'measured'): Phases {
  const sums = zeros()
  for (const request of requests)
    for (const phase of phases) sums[phase] += request[view][phase] / requests.length / 1e6
  return sums
}
