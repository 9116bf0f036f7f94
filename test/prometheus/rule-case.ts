import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from '@jest/globals'
import { parse } from 'yaml'

export const ruleFile = fileURLToPath(new URL('../../deploy/prometheus/tailspan.rules.yaml', import.meta.url))

export type Labels = Readonly<Record<string, string>>

/** A counter or gauge by the minute. */
export interface Series {
  readonly name: string
  readonly labels: Labels
  readonly values: readonly number[]
}

export interface Firing {
  readonly labels: Labels
  readonly summary: string
  /** Line by line. */
  readonly description: readonly string[]
}

export interface RuleCase {
  readonly series: readonly Series[]
  /** Asked in this minute. */
  readonly minute: number
  /** Minutes between two evaluations; a long history is cheaper with more. */
  readonly every?: number
  /** By alert; every other alert of the file must be silent. */
  readonly fires: Readonly<Record<string, readonly Firing[]>>
}

export const tailspanIsUp = (minutes: number): Series => ({
  name: 'up',
  labels: { job: 'tailspan', instance: 'a:9464' },
  values: Array<number>(minutes + 1).fill(1)
})

interface ShippedRule {
  readonly alert?: string
  readonly labels?: Labels
}

interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly ShippedRule[] }[]
}

const { groups } = parse(readFileSync(ruleFile, 'utf8')) as RuleFile
/** Name and severity of every shipped alert. */
export const alertLabels: readonly Labels[] = groups.flatMap(({ rules }) =>
  rules.flatMap(({ alert, labels }) => (alert === undefined ? [] : [{ alertname: alert, ...labels }]))
)
const alertNames = [...new Set(alertLabels.map(({ alertname = '' }) => alertname))]

/** promtool's verdict on the committed rules: which alerts fire, with all of their labels and texts. */
export function expectRules({ series, minute, every = 5, fires }: RuleCase): void {
  expect(alertNames).toEqual(expect.arrayContaining(Object.keys(fires)))
  const test = {
    rule_files: [ruleFile],
    evaluation_interval: `${every}m`,
    // Otherwise alerts would now and then see what was recorded an evaluation ago.
    group_eval_order: groups.map(({ name }) => name),
    tests: [
      {
        interval: '1m',
        input_series: series.map(({ name, labels, values }) => ({
          series: selector(name, labels),
          // Promtool reads NaN as a value; `_` is a minute without one.
          values: values.map((value) => (Number.isNaN(value) ? '_' : String(value))).join(' ')
        })),
        alert_rule_test: alertNames.map((alertname) => ({
          eval_time: `${minute}m`,
          alertname,
          exp_alerts: (fires[alertname] ?? []).map((firing) => expected(alertname, firing))
        }))
      }
    ]
  }
  promtool(['test', 'rules'], test)
}

/** Runs promtool on a file of its own; throws what it says against it. */
export function promtool(command: readonly string[], document: object): void {
  const folder = mkdtempSync(join(tmpdir(), 'tailspan-promtool-'))
  try {
    const file = join(folder, 'document.json')
    writeFileSync(file, JSON.stringify(document))
    const { status, stdout, stderr } = spawnSync('promtool', [...command, file], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${stdout}\n${stderr}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function selector(name: string, labels: Labels): string {
  const matchers = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
  return `${name}{${matchers.join(',')}}`
}

function expected(alertname: string, { labels, summary, description }: Firing): object {
  return {
    exp_labels: labels,
    exp_annotations: {
      summary,
      description: `${description.join('\n')}\n`,
      ...links(labels),
      runbook_url: `http://127.0.0.1:9464/runbooks/${alertname}.md`
    }
  }
}

function links({ service_name: service, operation }: Labels): { page_url: string; dashboard_url: string } {
  const page = 'http://127.0.0.1:9464/'
  const grafana = 'http://127.0.0.1:3000/d'
  const query = (parameters: Record<string, string>): string => new URLSearchParams(parameters).toString()
  if (service === undefined) return { page_url: page, dashboard_url: `${grafana}/tailspan-health` }
  if (operation === undefined) {
    return {
      page_url: `${page}#/?${query({ filter: service })}`,
      dashboard_url: `${grafana}/tailspan-service?${query({ 'var-service': service })}`
    }
  }
  return {
    page_url: `${page}#/operation?${query({ service, operation })}`,
    dashboard_url: `${grafana}/tailspan-operation?${query({ 'var-service': service, 'var-operation': operation })}`
  }
}
