import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import { phases } from '../model/phases.ts'
import { type BudgetState, type ExposeSources, type OperationSummary } from './sources.ts'

const compress = promisify(gzip)
/** However many people look, an overview is made once in this time. */
const FRESH_MS = 1_000

/** A whole answer, ready to be sent again and again. */
export interface Overview {
  readonly etag: string
  readonly plain: Buffer
  readonly gzipped: Buffer
}

export interface OverviewParts {
  readonly sources: ExposeSources
  readonly operationsMax: number
  readonly nowMs: () => number
}

/**
 * The page's first and most frequent question, answered shortly: operations by tail excess as rows of numbers, at most
 * `operationsMax`. Of those whose service or name holds `filter`, which is looked for in whatever case.
 */
export function createOverview({
  sources,
  operationsMax,
  nowMs
}: OverviewParts): (filter: string) => Promise<Overview> {
  let kept: { readonly untilMs: number; readonly overview: Promise<Overview> } | undefined

  return (filter) => {
    if (filter !== '') return encode(overviewOf(sources, operationsMax, filter))
    const now = nowMs()
    if (kept === undefined || now >= kept.untilMs) {
      kept = { untilMs: now + FRESH_MS, overview: encode(overviewOf(sources, operationsMax, '')) }
    }
    return kept.overview
  }
}

async function encode(document: object): Promise<Overview> {
  const plain = Buffer.from(JSON.stringify(document))
  const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`
  return { etag, plain, gzipped: await compress(plain, { level: constants.Z_BEST_SPEED }) }
}

function overviewOf(sources: ExposeSources, operationsMax: number, filter: string): object {
  const wanted = filter.toLowerCase()
  const operations = sources
    .operations()
    .filter(({ service, operation }) => `${service} ${operation}`.toLowerCase().includes(wanted))
    .map((summary) => ({ summary, excessNs: tailExcess(summary) }))
    .sort((a, b) => b.excessNs - a.excessNs)
  const culpritOf = topCulprits(sources)
  const budgetOf = fastestSpent(sources)
  return {
    version: sources.version,
    started_unix_ms: sources.startedMs,
    otlp: sources.otlpPorts(),
    spans_received: receivedOf(sources),
    phases,
    total: operations.length,
    operations: operations
      .slice(0, operationsMax)
      .map(({ summary }) => [
        ...rowOf(summary),
        culpritOf.get(nameOf(summary)) ?? null,
        budgetOf.get(nameOf(summary)) ?? null
      ])
  }
}

/** How much longer a request of the tail takes than one of the body; without a tail, last. */
export function tailExcess({ excess_mean_ns: excess }: OperationSummary): number {
  return excess === null ? -1 : Object.values(excess).reduce((sum, ns) => sum + Math.max(0, ns), 0)
}

type Culprit = readonly [service: string, operation: string, phase: string, share: number]

/** Who takes most of the blame for each root operation: the blame of a root comes with the largest excess first. */
function topCulprits(sources: ExposeSources): ReadonlyMap<string, Culprit> {
  const top = new Map<string, Culprit>()
  for (const { root, culprit, share } of sources.blame()) {
    const name = nameOf(root)
    if (share === null || share <= 0 || top.has(name)) continue
    top.set(name, [culprit.service, culprit.operation, culprit.phase, Math.round(share * 1e3) / 1e3])
  }
  return top
}

type Spent = readonly [budget: string, state: string, over: number | null, allowed: number]

/** Of each operation's targets the one whose share is spent fastest: that comes first. */
function fastestSpent(sources: ExposeSources): ReadonlyMap<string, Spent> {
  const spent = new Map<string, Spent>()
  for (const target of sources.budgets().states) {
    const name = nameOf(target)
    if (!spent.has(name)) spent.set(name, spentOf(target))
  }
  return spent
}

function spentOf({ budget, state, recent, allowed_ratio: allowed }: BudgetState): Spent {
  return [budget, state, recent.over_ratio === null ? null : Math.round(recent.over_ratio * 1e4) / 1e4, allowed]
}

const nameOf = ({ service, operation }: { readonly service: string; readonly operation: string }): string =>
  JSON.stringify([service, operation])

function rowOf(summary: OperationSummary): unknown[] {
  const { service, operation, class: kind, requests, quantiles_ns: quantiles, dominant, body, tail } = summary
  return [
    service,
    operation,
    kind,
    requests,
    whole(quantiles.p50),
    whole(quantiles.p99),
    dominant,
    means(body?.phases_mean_ns),
    means(tail?.phases_mean_ns)
  ]
}

const whole = (ns: number | null): number | null => (ns === null ? null : Math.round(ns))
const means = (byPhase: Readonly<Record<string, number>> | undefined): number[] | null =>
  byPhase === undefined ? null : phases.map((phase) => Math.round(byPhase[phase] ?? 0))

function receivedOf({ counters }: ExposeSources): number {
  let received = 0
  for (const stage of counters) {
    for (const { name, value } of stage.samples()) if (name === 'tail_spans_received_total') received += value
  }
  return received
}
