import { parser } from '@prometheus-io/lezer-promql'

/** A selector of a query: the metric, and each matcher with its values (more than one where it is a plain alternation). */
export interface Selector {
  readonly metric: string
  readonly matchers: readonly { readonly label: string; readonly values: readonly string[] }[]
}

export interface ParsedQuery {
  /** Texts that are no PromQL. */
  readonly errors: readonly string[]
  readonly selectors: readonly Selector[]
  /** Labels that are grouped by or matched on. */
  readonly labels: readonly string[]
  /** Labels that the query makes. */
  readonly made: readonly string[]
}

/** What Grafana writes for variables before Prometheus sees a query. */
const variables: Readonly<Record<string, string>> = {
  $__rate_interval: '1m',
  $__range: '15m',
  $window: '10m',
  $service: 'gateway',
  $operation: 'GET /buy'
}

/** A query as Prometheus gets it. Variables that no dashboard has stay, and do not parse. */
export function withVariables(query: string, values = variables): string {
  return query.replaceAll(/\$\w+/g, (name) => values[name] ?? name)
}

export function parsePromql(query: string): ParsedQuery {
  const errors: string[] = []
  const selectors: { metric: string; matchers: { label: string; values: string[] }[] }[] = []
  const labels: string[] = []
  const made: string[] = []
  parser.parse(query).iterate({
    enter({ type, name, from, to, node }) {
      const text = query.slice(from, to)
      const within = (parent: string): boolean => node.parent?.name === parent
      if (type.isError) errors.push(query.slice(Math.max(0, from - 20), to + 20))
      else if (name === 'Identifier' && within('VectorSelector')) selectors.push({ metric: text, matchers: [] })
      else if (name === 'UnquotedLabelMatcher') selectors.at(-1)?.matchers.push(matcherOf(text))
      else if (name === 'LabelName' && within('GroupingLabels')) labels.push(text)
      else if (name === 'FunctionCall' && text.startsWith('label_replace(')) {
        const destination = node.getChild('FunctionCallBody')?.getChildren('StringLiteral')[0]
        if (destination !== undefined) made.push(query.slice(destination.from + 1, destination.to - 1))
      }
    }
  })
  return { errors, selectors, labels, made }
}

function matcherOf(text: string): { label: string; values: string[] } {
  const [, label = '', quoted = '""'] = /^(\w+)\s*(?:=~|!~|!=|=)\s*(".*")$/s.exec(text) ?? []
  return { label, values: String(JSON.parse(quoted)).split('|') }
}
