import { recorded } from './recording.ts'
import { asker, count, seconds, share } from './texts.ts'
import { type Span, type Windows } from './windows.ts'

const OPERATION = 'service_name=%[1]q,operation=%[2]q'
const ROOT = 'root_service_name=%[1]q,root_operation=%[2]q'

/** Which requests an alert calls slow: their means by phase, and the same above normal, recorded. */
export interface SlowRequests {
  /** Labels of the alert that queries take by number: service_name, operation, and what else there is. */
  readonly labels: readonly string[]
  readonly mean: string
  readonly excess: string
  /** For the blame of root operations, which is known of requests above p99 only. */
  readonly span: '1h' | '1d'
}

export const aboveP99: SlowRequests = {
  labels: ['service_name', 'operation'],
  mean: `${recorded.slow}{${OPERATION}}`,
  excess: `${recorded.excess}{${OPERATION}}`,
  span: '1h'
}

export function overBudget(span: '1h' | '1d'): SlowRequests {
  const self = `{${OPERATION},budget=%[3]q}`
  return {
    labels: ['service_name', 'operation', 'budget'],
    mean: `${recorded.budgetSlow(span)}${self}`,
    excess: `${recorded.budgetExcess(span)}${self}`,
    span
  }
}

/**
 * Lines that tell why an operation is slow: how long a slow request takes and a normal one, which phase has grown the most,
 * who below a root operation spends it, and what to doubt. A line of which nothing is known is left out.
 */
export function causeLines({ labels, mean, excess, span }: SlowRequests, windows: Windows): string {
  const { first } = asker(labels)
  const blame = `${recorded.blameExcess(span)}{${ROOT}}`
  const largestShare = (parts: string): string => `topk(1, ${parts} > 0) / scalar(sum(${parts} > 0))`
  return [
    first(
      `sum(${mean})`,
      `\nThe slow ones took ${seconds} on average` +
        first(
          `sum by (taken) (${recorded.normal}{${OPERATION}})`,
          `; normal is ${seconds}, the mean {{ .Labels.taken }}`,
          '; what is normal is not known'
        ) +
        '.'
    ),
    first(
      largestShare(excess),
      `\nWhat has grown most is their {{ .Labels.phase }}: ${share} of the time above normal` +
        first(`topk(1, ${excess} > 0)`, `, ${seconds} a request`) +
        '.'
    ),
    first(
      largestShare(blame),
      `\nCulprit: {{ .Labels.phase }} in {{ .Labels.culprit_service_name }} {{ .Labels.culprit_operation }}, ${share} of the time above normal in the slowest` +
        slowestRequests(labels, span, windows) +
        '.'
    ),
    first(
      'tail_sampling_info{service_name=%[1]q,sampling="unknown"}',
      '\nHow the traces of {{ $labels.service_name }} are sampled is not known: shares of requests may be off.'
    )
  ].join('')
}

/** The band above p99 holds about one request in a hundred, and sometimes far more: the text says how many it was. */
function slowestRequests(labels: readonly string[], span: Span, windows: Windows): string {
  const { first } = asker(labels)
  const requests = (matchers: string): string =>
    `sum(increase(tail_requests_total{${OPERATION}${matchers}}[${windows.length(span)}]))`
  const slow = requests(',band="gt_p99"')
  return (
    first(`${slow} / ${requests('')}`, ` ${share} of its requests`) +
    first(slow, ` (${count} in the last ${windows.words(span)})`)
  )
}
