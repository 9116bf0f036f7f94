import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { type Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { type Dashboard, dashboards, dashboardText } from '../../../deploy/grafana/index.ts'
import { parsePromql, withVariables } from '../../builders/promql.ts'
import { seriesCatalogue } from '../../builders/series-catalogue.ts'
import { panelsOf, queriesOf } from '../../builders/dashboards.ts'

const folder = new URL('../../../deploy/grafana/dashboards/', import.meta.url)
const every: readonly (readonly [string, Dashboard])[] = Object.entries(dashboards)
const queries = every.flatMap(([name, dashboard]) => queriesOf(name, dashboard))

test('the committed JSON is what the source makes: run node deploy/grafana/generate.ts', () => {
  expect(readdirSync(folder).sort()).toEqual(every.map(([name]) => `${name}.json`).sort())
  for (const [name, dashboard] of every) {
    expect(readFileSync(new URL(`${name}.json`, folder), 'utf8')).toBe(dashboardText(dashboard))
  }
})

test('every query parses once Grafana has filled in its variables', () => {
  const broken = queries.flatMap(({ panel: where, expr }) =>
    parsePromql(withVariables(expr)).errors.map((text) => `${where}: ${text}`)
  )
  expect(broken).toEqual([])
})

test('every metric is in the catalogue, with every label that is asked of it, and values that it can have', async () => {
  const catalogue = await seriesCatalogue()
  const unknown = queries.flatMap(({ panel: where, expr }) => {
    const { selectors, labels, made } = parsePromql(withVariables(expr))
    const known = new Set([...selectors.flatMap(({ metric }) => [...(catalogue.get(metric)?.labels ?? [])]), ...made])
    return [
      ...selectors.filter(({ metric }) => !catalogue.has(metric)).map(({ metric }) => `${where}: no ${metric}`),
      ...labels.filter((label) => !known.has(label)).map((label) => `${where}: nothing has ${label}`),
      ...selectors.flatMap(({ metric, matchers }) =>
        matchers.flatMap(({ label, values }) => {
          const of = catalogue.get(metric)
          const allowed = of?.values[label]
          if (of?.labels.has(label) !== true) return [`${where}: ${metric} has no ${label}`]
          return values
            .filter((value) => allowed?.includes(value) === false)
            .map((value) => `${where}: ${metric} never has ${label}="${value}"`)
        })
      )
    ]
  })
  expect(unknown).toEqual([])
})

test('every panel says what it shows, in which unit, from the data source that the reader chose', () => {
  const faults = every.flatMap(([name, dashboard]) =>
    panelsOf(dashboard).flatMap((panel) => faultsOf(panel).map((fault) => `${name}/${panel.title ?? ''}: ${fault}`))
  )
  expect(faults).toEqual([])
})

function faultsOf(panel: Panel): string[] {
  const faults: string[] = []
  if ((panel.title ?? '') === '') faults.push('no title')
  if (!/^[A-Z].*\.$/s.test(panel.description ?? '')) faults.push('a description is at least one sentence')
  if (panel.fieldConfig?.defaults.unit === undefined) faults.push('no unit')
  if (panel.datasource?.uid !== '${datasource}') faults.push('a data source of its own')
  if ((panel.targets ?? []).length === 0) faults.push('no query')
  return faults
}

test('panels of a dashboard have titles of their own, keep within the grid and do not overlap', () => {
  for (const [name, dashboard] of every) {
    const panels = panelsOf(dashboard)
    const titles = panels.map(({ title }) => title)
    expect([name, titles]).toEqual([name, [...new Set(titles)]])
    const taken = new Set<string>()
    for (const { title, gridPos } of panels) {
      const { x = 0, y = 0, w = 0, h = 0 } = gridPos ?? {}
      expect([name, title, x + w <= 24]).toEqual([name, title, true])
      for (let column = x; column < x + w; column++) {
        for (let row = y; row < y + h; row++) {
          expect([name, title, taken.has(`${column} ${row}`)]).toEqual([name, title, false])
          taken.add(`${column} ${row}`)
        }
      }
    }
  }
})

test('links lead to dashboards that are there, with the variables that these have', () => {
  const uids = new Map(every.map(([, dashboard]) => [dashboard.uid, dashboard]))
  const links = every.flatMap(([name, dashboard]) =>
    panelsOf(dashboard).flatMap((panel) =>
      [...JSON.stringify(panel.fieldConfig).matchAll(/\/d\/([\w-]+)\?([^"]*)"/g)].map((match) => ({
        from: `${name}/${panel.title ?? ''}`,
        uid: match[1],
        variables: [...(match[2] ?? '').matchAll(/var-(\w+)=/g)].map((variable) => variable[1])
      }))
    )
  )
  expect(links.length).toBeGreaterThan(5)
  for (const { from, uid, variables } of links) {
    const has = uids.get(uid)?.templating.list?.map((variable) => variable.name)
    expect([from, has]).toEqual([from, expect.arrayContaining(variables)])
  }
})

test('an operation whose name is PromQL or a URL stays one value in links', () => {
  for (const [, dashboard] of every) {
    for (const match of JSON.stringify(dashboard).matchAll(/var-(?:service|operation)=\$\{[^}]*\}/g)) {
      expect(match[0]).toMatch(/:percentencode\}$/)
    }
  }
})
