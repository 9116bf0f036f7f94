import { parse } from 'yaml'
import { type SeriesCatalogue } from './series-catalogue.ts'

export interface Rule {
  readonly record?: string
  readonly alert?: string
  readonly expr: string
  readonly for?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

export function rulesOf(ruleFile: string): readonly Rule[] {
  return (parse(ruleFile) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules)
}

export function alertsOf(ruleFile: string): readonly string[] {
  return [...new Set(rulesOf(ruleFile).flatMap(({ alert }) => (alert === undefined ? [] : [alert])))]
}

export function recordsOf(ruleFile: string): ReadonlySet<string> {
  return new Set(rulesOf(ruleFile).flatMap(({ record }) => (record === undefined ? [] : [record])))
}

const OURS =
  /(?<![\w:"./-])((?:tail|nodejs|operation|root)_\w*(?::\w+)*|operation(?::\w+)+|up|scrape_\w+)(?:\{([^}]*)\})?(?![\w./-])/g

/** Labels that look like metrics. */
const labels = new Set(['root_service_name', 'root_operation'])
/** What Prometheus says of every target by itself. */
const byPrometheus = new Set(['up', 'scrape_duration_seconds', 'scrape_samples_scraped'])

/** Metrics of ours in a query, with their matchers. */
export function selectorsOf(query: string): readonly { readonly metric: string; readonly matchers: string }[] {
  return [...query.matchAll(OURS)]
    .map(([, metric = '', matchers = '']) => ({ metric, matchers }))
    .filter(({ metric }) => !labels.has(metric))
}

/** What a query asks for that nobody exposes or records. */
export function complaintsAbout(
  query: string,
  catalogue: SeriesCatalogue,
  records: ReadonlySet<string>
): readonly string[] {
  return selectorsOf(query).flatMap(({ metric, matchers }) => {
    if (metric.includes(':')) return records.has(metric) ? [] : [`${metric} is not recorded`]
    if (byPrometheus.has(metric)) return []
    const known = catalogue.get(metric)
    if (known === undefined) return [`no ${metric}`]
    return [...matchers.matchAll(/(\w+)(?:=~|!~|=)(?:"([^"]*)"|%\[\d\]q)/g)].flatMap(([, label = '', value]) => {
      if (!known.labels.has(label)) return [`${metric} has no ${label}`]
      const values = known.values[label]
      if (values === undefined || value === undefined) return []
      return value.split('|').flatMap((one) => (values.includes(one) ? [] : [`${metric} never has ${label}="${one}"`]))
    })
  })
}
