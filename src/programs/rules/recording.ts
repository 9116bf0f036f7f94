import { type RecordingRule, type RuleGroup } from './rule-file.ts'
import { type Span, type Windows } from './windows.ts'

/** A mean or a share of fewer requests than this says nothing. */
export const SAMPLE_MIN = 20

const OPERATION = 'service_name, operation'
const BUDGET = `${OPERATION}, budget`
const ROOT = 'root_service_name, root_operation'
const CULPRIT = `${ROOT}, culprit_service_name, culprit_operation, phase`

/** Long windows move slowly and cost the most. */
const LONG_EVERY = '2m'

/** Names of recorded series: the labels that are left, what it is, how it was made. The span is part of the name. */
export const recorded = {
  overRatio: (span: Span) => `operation_budget:tail_budget_over:ratio_rate${span}`,
  budgetRequests: (span: Span) => `operation_budget:tail_budget_requests:increase${span}`,
  budgetSlow: (span: Span) => `operation_budget_phase:tail_budget_over_seconds:mean${span}`,
  budgetExcess: (span: Span) => `operation_budget_phase:tail_budget_excess_seconds:mean${span}`,
  p99: (span: Span) => `operation:tail_request_duration_seconds:p99_${span}`,
  requests: (span: Span) => `operation:tail_requests:increase${span}`,
  body: 'operation_phase:tail_body_seconds:mean1h',
  normal: 'operation_phase:tail_normal_seconds:mean1h',
  slow: 'operation_phase:tail_slow_seconds:mean1h',
  excess: 'operation_phase:tail_excess_seconds:mean1h',
  slowShare: 'operation_phase:tail_slow_seconds:share1h',
  blameBody: 'root_culprit:tail_blame_body_seconds:mean1h',
  blameNormal: 'root_culprit:tail_blame_normal_seconds:mean1h',
  blameSlow: (span: Span) => `root_culprit:tail_blame_slow_seconds:mean${span}`,
  blameExcess: (span: Span) => `root_culprit:tail_blame_excess_seconds:mean${span}`,
  ingestLost: 'tail_ingest_lost:ratio_increase10m',
  tracesIncomplete: 'tail_traces_incomplete:ratio_increase30m'
} as const

/**
 * What alerts and dashboards ask of, once for all of them. Replicas add up, so every sum is `by` the labels of the series:
 * target labels differ from one scraper to the next, and none of them is wanted.
 */
export function recordingGroups(windows: Windows): readonly RuleGroup[] {
  return [
    { name: 'tailspan-budgets', rules: budgetRules(['5m', '30m', '1h', '2h', '6h'], ['1h', '6h']) },
    // In a group each rule sees what those before it have just recorded.
    {
      name: 'tailspan-operations',
      rules: [...durationRules(), ...bodyRules(), ...slowRules(), ...budgetCauses('1h'), ...blameCauses('1h')]
    },
    {
      name: 'tailspan-long',
      interval: windows.length(LONG_EVERY),
      rules: [...budgetRules(['1d', '3d'], ['1d', '3d']), ...budgetCauses('1d'), ...blameCauses('1d')]
    },
    { name: 'tailspan-itself', rules: ownRules() }
  ]

  function increase(by: string, selector: string, span: Span): string {
    return `sum by (${by}) (increase(${selector}[${windows.length(span)}]))`
  }

  /** Ratios of all windows; how many requests they are of only where alerts want to know. */
  function budgetRules(ratios: readonly Span[], counts: readonly Span[]): RecordingRule[] {
    const all = (span: Span): string => increase(BUDGET, 'tail_budget_requests_total', span)
    const over = (span: Span): string => increase(BUDGET, 'tail_budget_requests_total{result="over"}', span)
    return [
      ...ratios.map((span) => ({ record: recorded.overRatio(span), expr: `${over(span)}\n/\n${all(span)}` })),
      ...counts.map((span) => ({ record: recorded.budgetRequests(span), expr: all(span) }))
    ]
  }

  /** A server that takes native histograms has no buckets, and one that does not has nothing else. */
  function durationRules(): RecordingRule[] {
    return (['15m', '1h'] as const).flatMap((span) => {
      const quantile = (by: string, name: string): string =>
        `histogram_quantile(0.99, sum by (${by}) (rate(${name}[${windows.length(span)}])))`
      const native = quantile(OPERATION, 'tail_request_duration_seconds')
      const classic = quantile(`${OPERATION}, le`, 'tail_request_duration_seconds_bucket')
      return [
        { record: recorded.p99(span), expr: `${native}\nor\n${classic}` },
        { record: recorded.requests(span), expr: increase(OPERATION, 'tail_requests_total', span) }
      ]
    })
  }

  function phaseMean(band: string, requests: string): string {
    return [
      increase(`${OPERATION}, phase`, `tail_phase_seconds_total{${band}}`, '1h'),
      `/ on (${OPERATION}) group_left ()`,
      `(${increase(OPERATION, `tail_requests_total{${requests}}`, '1h')} >= ${SAMPLE_MIN})`
    ].join('\n')
  }

  /** Blame per request of the root; the requests carry other labels. */
  function blameMean(band: string, requests: string, span: Span): string {
    const asRoot = `label_replace(label_replace(${increase(OPERATION, `tail_requests_total{${requests}}`, span)}, "root_service_name", "$1", "service_name", "(.*)"), "root_operation", "$1", "operation", "(.*)")`
    return [
      increase(CULPRIT, `tail_blame_seconds_total{${band}}`, span),
      `/ on (${ROOT}) group_left ()`,
      `(${asRoot} >= ${SAMPLE_MIN})`
    ].join('\n')
  }

  /** Normal is the body a day ago, else an hour ago, else now; `taken` says which. */
  function bodyRules(): RecordingRule[] {
    const body = ['band="le_p50"', 'band="le_p50",outcome="ok"'] as const
    const [day, hour] = [windows.length('1d'), windows.length('1h')]
    const taken = (expression: string, words: string): string =>
      `label_replace(${expression}, "taken", "${words}", "", "")`
    const { blameBody } = recorded
    return [
      { record: recorded.body, expr: phaseMean(...body) },
      {
        record: recorded.normal,
        expr: [
          taken(`${recorded.body} offset ${day}`, windows.ago('1d')),
          taken(`${recorded.body} offset ${hour}`, windows.ago('1h')),
          taken(recorded.body, 'of the faster half now')
        ].join(`\nor on (${OPERATION}, phase)\n`)
      },
      { record: blameBody, expr: blameMean(...body, '1h') },
      {
        record: recorded.blameNormal,
        // All culprits of a root at one time: one that is new since then was 0 then.
        expr: [
          `${blameBody} offset ${day}`,
          `(${blameBody} offset ${hour} unless on (${ROOT}) ${blameBody} offset ${day})`,
          `(${blameBody} unless on (${ROOT}) (${blameBody} offset ${day} or ${blameBody} offset ${hour}))`
        ].join('\nor\n')
      }
    ]
  }

  function slowRules(): RecordingRule[] {
    return [
      { record: recorded.slow, expr: phaseMean('band="gt_p99"', 'band="gt_p99"') },
      { record: recorded.excess, expr: aboveNormal(recorded.slow) },
      {
        record: recorded.slowShare,
        expr: `${recorded.slow}\n/ on (${OPERATION}) group_left ()\nsum by (${OPERATION}) (${recorded.slow})`
      }
    ]
  }

  function budgetCauses(span: Span): RecordingRule[] {
    const over = [
      increase(`${BUDGET}, phase`, 'tail_budget_phase_seconds_total{result="over"}', span),
      `/ on (${BUDGET}) group_left ()`,
      `(${increase(BUDGET, 'tail_budget_requests_total{result="over"}', span)} > 0)`
    ].join('\n')
    return [
      { record: recorded.budgetSlow(span), expr: over },
      { record: recorded.budgetExcess(span), expr: aboveNormal(recorded.budgetSlow(span)) }
    ]
  }

  function blameCauses(span: Span): RecordingRule[] {
    const slow = recorded.blameSlow(span)
    return [
      { record: slow, expr: blameMean('band="gt_p99"', 'band="gt_p99"', span) },
      { record: recorded.blameExcess(span), expr: `${slow}\n-\n(${recorded.blameNormal} or ${slow} * 0)` }
    ]
  }

  function ownRules(): RecordingRule[] {
    const sum = (selector: string, span: Span): string => `sum(increase(${selector}[${windows.length(span)}]))`
    const of10m = (selector: string): string => sum(selector, '10m')
    const rejected = of10m('tail_spans_rejected_total')
    const others = ['late', 'misfit', 'over_trace_max'].map((what) => of10m(`tail_spans_${what}_total`))
    // What asks for no export at all loses none.
    const refused = of10m('tail_requests_refused_total{reason!~"not_found|method"}')
    const share = (lost: readonly string[], all: readonly string[]): string =>
      [lost, all].map((terms) => `(\n  ${terms.join('\n  + ')}\n)`).join('\n/\n')
    return [
      {
        record: recorded.ingestLost,
        labels: { lost: 'spans' },
        expr: share([rejected, ...others], [of10m('tail_spans_received_total'), rejected])
      },
      {
        record: recorded.ingestLost,
        labels: { lost: 'export requests' },
        expr: share([refused], [of10m('tail_ingest_requests_total'), refused])
      },
      {
        record: recorded.tracesIncomplete,
        expr: share(
          [sum('tail_traces_closed_total{reason=~"no_root|age|spans|memory"}', '30m')],
          [sum('tail_traces_closed_total{reason!~"shutdown|late_unit"}', '30m')]
        )
      }
    ]
  }
}

/** Of phases; where nothing normal is known, all of it. */
function aboveNormal(slow: string): string {
  return `${slow}\n- on (${OPERATION}, phase) group_left ()\n(\n  sum without (taken) (${recorded.normal})\n  or on (${OPERATION}, phase)\n  sum by (${OPERATION}, phase) (${slow}) * 0\n)`
}
