import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { phases } from '../../../src/model/phases.ts'
import { alertsOf, complaintsAbout, recordsOf } from '../../builders/rule-queries.ts'
import { seriesCatalogue } from '../../builders/series-catalogue.ts'

const folder = new URL('../../../deploy/runbooks/', import.meta.url)
const textOf = (name: string): string => readFileSync(new URL(name, folder), 'utf8')
const rules = readFileSync(new URL('../../../deploy/prometheus/tailspan.rules.yaml', import.meta.url), 'utf8')
const alerts = alertsOf(rules)
const files = readdirSync(folder)
const notOfAlerts = ['README.md', 'phases.md']

test('every alert has a runbook, and every runbook an alert', () => {
  expect(files.filter((name) => !notOfAlerts.includes(name)).sort()).toEqual(alerts.map((name) => `${name}.md`).sort())
})

test('a runbook says what it means, what to look at, what to do, and how to see that it helped', () => {
  for (const alert of alerts) {
    const headings = textOf(`${alert}.md`).match(/^##? .*$/gm)
    const expected = ['What it means', 'What to look at', 'What to do', 'How to see that it helped']
    expect(headings).toEqual([`# ${alert}`, ...expected.map((heading) => `## ${heading}`)])
  }
})

/** As GitHub makes them of headings. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .replaceAll(/\s/g, '-')

test('every link leads somewhere, to the heading that it names', () => {
  for (const name of files) {
    for (const [, target = ''] of textOf(name).matchAll(/\]\(([^)]+)\)/g)) {
      const [path = '', anchor] = target.split('#')
      const to = path === '' ? name : path
      expect([name, target, existsSync(new URL(to, folder))]).toEqual([name, target, true])
      if (anchor === undefined) continue
      const anchors = (textOf(to).match(/^#+ .*$/gm) ?? []).map((line) => anchorOf(line.replace(/^#+ /, '')))
      expect(anchors).toContain(anchor)
    }
  }
})

test('the list names every alert with its severities', () => {
  const { groups } = parse(rules) as {
    groups: { rules: { alert?: string; labels?: { severity: string } }[] }[]
  }
  for (const alert of alerts) {
    const severities = groups.flatMap((group) =>
      group.rules.flatMap((rule) => (rule.alert === alert ? [rule.labels?.severity] : []))
    )
    expect(textOf('README.md')).toContain(`| [${alert}](${alert}.md) | ${severities.join(', ')} |`)
  }
})

test('what to do about a phase is in one place, for every phase', () => {
  const headings = (textOf('phases.md').match(/^## .*$/gm) ?? []).map((line) => line.slice(3))
  expect(headings.filter((heading) => heading !== 'How to see that it helped')).toEqual([...phases])
})

test('queries of runbooks ask for series and labels that there are', async () => {
  const catalogue = await seriesCatalogue()
  const records = recordsOf(rules)
  const queries = files.flatMap((name) => [
    ...[...textOf(name).matchAll(/```promql\n([\s\S]*?)```/g)].map(([, query = '']) => query),
    ...[...textOf(name).matchAll(/`([^`\n]*)`/g)].map(([, query = '']) => query)
  ])
  expect(queries.length).toBeGreaterThan(30)
  expect(queries.flatMap((query) => complaintsAbout(query, catalogue, records))).toEqual([])
})
