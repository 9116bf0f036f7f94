/** PromQL of the dashboards. Every counter is summed over replicas; no threshold ever is. */
import { type PhaseName } from '../../src/model/phases.ts'

const OPERATION = 'service_name, operation'
const ROOT = 'root_service_name, root_operation'
const CULPRIT = 'culprit_service_name, culprit_operation'

/** What a query is about: which operations (or culprits), which phases, over how long. Matchers are without braces. */
export interface Subject {
  readonly matchers: string
  readonly phases?: string
  readonly over: string
}

/** How far back an attribution of a moment looks is the reader's choice; tables look at all that is shown. */
export const LATELY = '$window'
export const ALL_SHOWN = '$__range'

type Band = 'le_p50' | 'gt_p99'

/** `name{a,b}`; matchers that say nothing are left out. */
export function select(name: string, ...matchers: readonly string[]): string {
  const said = matchers.filter((matcher) => matcher !== '').join(',')
  return said === '' ? name : `${name}{${said}}`
}

export function rate(selector: string, over: string, by = ''): string {
  return by === '' ? `sum(rate(${selector}[${over}]))` : `sum by (${by}) (rate(${selector}[${over}]))`
}

/** `> 0` leaves out what has no whole: one 0 / 0 would spoil every sum and sort. */
export function ratio(part: string, whole: string): string {
  return `${part}\n  / (${whole} > 0)`
}

/** Each of several parts as a share of one whole. */
export function shares(parts: string, whole: string): string {
  return `${parts}\n  / on () group_left () (${whole} > 0)`
}

/** Requests of a band in a second. Of the body only those that went well count. */
function bandRate(band: Band, { matchers, over }: Subject): string {
  const outcome = band === 'le_p50' ? 'outcome="ok"' : ''
  return rate(select('tail_requests_total', `band="${band}"`, outcome, matchers), over, OPERATION)
}

/** Seconds that a request of a band spends in each phase, on average. */
export function phaseMean(band: Band, subject: Subject): string {
  const { matchers, phases = '', over } = subject
  const selector = select('tail_phase_seconds_total', `band="${band}"`, phases, matchers)
  const seconds = rate(selector, over, `${OPERATION}, phase`)
  return `(${seconds}\n  / on (${OPERATION}) group_left () (${bandRate(band, subject)} > 0))`
}

/** What one slow request spends more than a usual one, by phase. */
export function phaseExcess(subject: Subject): string {
  return `(${phaseMean('gt_p99', subject)}\n- ${phaseMean('le_p50', subject)})`
}

/** The same, all phases together. */
export function excess(subject: Subject): string {
  return `sum by (${OPERATION}) ${phaseExcess(subject)}`
}

/** Seconds lost in each second of the clock: what a slow request costs more, times how many there are. */
export function lostSeconds(subject: Subject, by = ''): string {
  const sum = by === '' ? 'sum' : `sum by (${by})`
  return `${sum} (clamp_min(${phaseExcess(subject)}, 0)\n  * on (${OPERATION}) group_left () ${bandRate('gt_p99', subject)})`
}

/** Share of what slow requests have more that something explains. */
export function attributedShare(subject: Subject): string {
  const unknown = lostSeconds({ ...subject, phases: 'phase="unattributed"' })
  return `1 - ${ratio(unknown, lostSeconds(subject))}`
}

/** Duration at a quantile, from whichever histograms Prometheus keeps: native ones first, they are finer. */
export function quantile(q: number, name: string, matchers: string, by: string): string {
  const native = rate(select(name, matchers), '$__rate_interval', by)
  const classic = rate(select(`${name}_bucket`, matchers), '$__rate_interval', by === '' ? 'le' : `le, ${by}`)
  return `histogram_quantile(${q}, ${native})\n  or histogram_quantile(${q}, ${classic})`
}

/** How many a histogram counted in a second, native or classic. */
export function histogramRate(name: string, matchers: string, by: string): string {
  const native = rate(select(name, matchers), '$__rate_interval', by)
  return `histogram_count(${native})\n  or ${rate(select(`${name}_count`, matchers), '$__rate_interval', by)}`
}

/** Mean of what a histogram counted, native or classic. */
export function histogramMean(name: string, { matchers, over }: Subject, by: string): string {
  const native = rate(select(name, matchers), over, by)
  const classic = ['sum', 'count'].map((part) => rate(select(`${name}_${part}`, matchers), over, by)) as [
    string,
    string
  ]
  return `${ratio(`histogram_sum(${native})`, `histogram_count(${native})`)}\n  or ${ratio(...classic)}`
}

/** Where a band begins now: each replica has its own, the largest is on the safe side. */
export function threshold(q: string, matchers: string): string {
  return `max by (${OPERATION}) (${select('tail_band_threshold_seconds', `quantile="${q}"`, matchers)})`
}

function renamed(vector: string, from: string, to: string): string {
  return `label_replace(${vector}, "${to}", "$1", "${from}", "(.*)")`
}

/** Requests of a band by the names that series of blame have for them. */
function rootRate(band: Band, over: string): string {
  const byService = renamed(bandRate(band, { matchers: '', over }), 'service_name', 'root_service_name')
  return `sum by (${ROOT}) (${renamed(byService, 'operation', 'root_operation')})`
}

function blameMean(band: Band, { matchers, over }: Subject): string {
  const selector = select('tail_blame_seconds_total', `band="${band}"`, matchers)
  const seconds = rate(selector, over, `${ROOT}, ${CULPRIT}, phase`)
  return `(${seconds}\n  / on (${ROOT}) group_left () (${rootRate(band, over)} > 0))`
}

/** What a culprit costs one slow request of a root operation more than a usual one. */
export function blameExcess(subject: Subject): string {
  return `(${blameMean('gt_p99', subject)}\n- ${blameMean('le_p50', subject)})`
}

/** Seconds in each second of the clock by which culprits lengthen slow requests, wherever these began. */
export function blamedSeconds(subject: Subject, by: string): string {
  const lengthened = `clamp_min(${blameExcess(subject)}, 0)`
  return `sum by (${by}) (${lengthened}\n  * on (${ROOT}) group_left () ${rootRate('gt_p99', subject.over)})`
}

const BUDGET = `${OPERATION}, budget`

/** Share of the requests that were over each target. */
export function overBudget({ matchers, over }: Subject): string {
  const missed = rate(select('tail_budget_requests_total', 'result="over"', matchers), over, BUDGET)
  return ratio(missed, rate(select('tail_budget_requests_total', matchers), over, BUDGET))
}

/** Settings that every replica exposes. */
export const budgetSetting = (name: string, matchers: string): string =>
  `max by (${BUDGET}) (${select(name, matchers)})`

/** How fast a budget is used up: 1 is just as fast as it may be. */
export function burnRate(subject: Subject): string {
  return `${overBudget(subject)}\n  / ${budgetSetting('tail_budget_allowed_ratio', subject.matchers)}`
}

/** What requests over a target spend in each phase, on average. */
export function overBudgetMean({ matchers, over }: Subject): string {
  const seconds = rate(select('tail_budget_phase_seconds_total', 'result="over"', matchers), over, 'budget, phase')
  const requests = rate(select('tail_budget_requests_total', 'result="over"', matchers), over, 'budget')
  return `${seconds}\n  / on (budget) group_left () (${requests} > 0)`
}

function patternMean(band: Band, subject: Subject): string {
  const selector = select('tail_pattern_seconds_total', `band="${band}"`, subject.matchers)
  const seconds = rate(selector, subject.over, `${OPERATION}, pattern`)
  return `(${seconds}\n  / on (${OPERATION}) group_left () (${bandRate(band, subject)} > 0))`
}

/** What retries, hedges and stragglers cost one slow request more than a usual one. */
export function patternExcess(subject: Subject): string {
  return `(${patternMean('gt_p99', subject)}\n- ${patternMean('le_p50', subject)})`
}

/** Seconds in each second that an operation's slow requests lose to nobody knows what, and what would tell. */
export function advisedSeconds(subject: Subject): string {
  const unknown = lostSeconds({ ...subject, phases: 'phase="unattributed"' }, OPERATION)
  const advice = `max by (${OPERATION}, advice) (${select('tail_advice_info', subject.matchers)})`
  return `${advice}\n  * on (${OPERATION}) group_left () ${unknown}`
}

/** One value for a step of the waterfall. The number keeps the steps in order: neither Prometheus nor Grafana does. */
function step(index: number, name: string, vector: string): string {
  return `label_replace(${vector}, "step", "${index} ${name}", "", "")`
}

/** Length of each step from a usual request to a slow one. Phases that a slow request spends less on are no step. */
export function waterfallSteps(phases: readonly PhaseName[], subject: Subject): string {
  const body = step(0, 'usual', `sum(${phaseMean('le_p50', subject)})`)
  const steps = phases.map((phase, i) =>
    step(i + 1, phase, `sum(clamp_min(${phaseExcess({ ...subject, phases: `phase="${phase}"` })}, 0))`)
  )
  const tail = step(phases.length + 1, 'slow', `sum(${phaseMean('gt_p99', subject)})`)
  return [body, ...steps, tail].join('\nor ')
}

/** Where each of these steps begins: after the usual request and what the phases before it added. */
export function waterfallFloor(phases: readonly PhaseName[], subject: Subject): string {
  const body = `sum(${phaseMean('le_p50', subject)})`
  const floors = phases.map((phase, i) => {
    const before = phases.slice(0, i).join('|')
    const added = `sum(clamp_min(${phaseExcess({ ...subject, phases: `phase=~"${before}"` })}, 0))`
    return step(i + 1, phase, i === 0 ? body : `${body} + ${added}`)
  })
  return floors.join('\nor ')
}
