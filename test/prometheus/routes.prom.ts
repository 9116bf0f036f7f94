import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from '@jest/globals'
import { parse } from 'yaml'
import { routesFile } from '../builders/alerting.ts'
import { pause } from '../builders/live-service.ts'
import { startAlertmanager, type Alertmanager } from '../builders/monitoring.ts'
import { testWith } from './prometheus.ts'
import { alertLabels, promtool, type Labels } from './rule-case.ts'

const promtoolTest = testWith('promtool')
const amtoolTest = testWith('amtool')
const alertmanagerTest = testWith('prometheus-alertmanager')

function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ended with ${status}:\n${stdout}\n${stderr}`)
  return stdout.trim()
}

promtoolTest('promtool finds no mistake in the shipped rules and the shipped configuration', () => {
  const folder = fileURLToPath(new URL('../../deploy/prometheus/', import.meta.url))
  expect(run('promtool', ['check', 'rules', `${folder}tailspan.rules.yaml`])).toContain('SUCCESS')
  expect(run('promtool', ['check', 'config', `${folder}prometheus.yaml`])).toContain('SUCCESS')
})

promtoolTest('queries of the runbooks parse', () => {
  const runbooks = new URL('../../deploy/runbooks/', import.meta.url)
  const queries = readdirSync(runbooks).flatMap((name) =>
    [...readFileSync(new URL(name, runbooks), 'utf8').matchAll(/```promql\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
      block.trim().split('\n')
    )
  )
  expect(queries.length).toBeGreaterThan(5)
  const rules = queries.map((expr, i) => ({ record: `query:${i}`, expr }))
  promtool(['check', 'rules'], { groups: [{ name: 'runbooks', rules }] })
})

amtoolTest('amtool finds no mistake in the shipped routes', () => {
  expect(run('amtool', ['check-config', routesFile])).toContain('SUCCESS')
})

amtoolTest('who gets up, who looks today and who may look: every alert by its severity', () => {
  const receivers = { critical: 'page', warning: 'ticket', info: 'log' } as const
  expect(alertLabels.length).toBeGreaterThan(10)
  for (const labels of alertLabels) {
    const matchers = Object.entries(labels).map(([label, value]) => `${label}=${value}`)
    const receiver = run('amtool', ['config', 'routes', 'test', `--config.file=${routesFile}`, ...matchers])
    expect([labels, receiver]).toEqual([labels, receivers[labels['severity'] as keyof typeof receivers]])
  }
  expect(run('amtool', ['config', 'routes', 'test', `--config.file=${routesFile}`, 'alertname=Other'])).toBe('ticket')
})

const buy = { service_name: 'gateway', operation: 'GET /buy' }
const budget = { ...buy, budget: 'p99' }

/** Alerts that are told of, when all of these are active. */
async function toldOf({ address, alerts }: Alertmanager, active: readonly Labels[]): Promise<Labels[]> {
  const answer = await fetch(`http://${address}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(active.map((labels) => ({ labels })))
  })
  expect(answer.status).toBe(200)
  // Inhibition is decided when it is asked; the alerts must only have arrived.
  for (let i = 0; i < 100; i++) {
    const all = (await (await fetch(`http://${address}/api/v2/alerts`)).json()) as unknown[]
    if (all.length === active.length) break
    await pause(100)
  }
  return (await alerts()).map(({ labels }) => labels)
}

alertmanagerTest('one incident makes one message, and another incident still makes its own', async () => {
  const alertmanager = await startAlertmanager(parse(readFileSync(routesFile, 'utf8')) as object)
  try {
    const told = await toldOf(alertmanager, [
      { alertname: 'TailBudgetBurnFast', severity: 'critical', ...budget },
      { alertname: 'TailBudgetBurnSlow', severity: 'warning', ...budget },
      { alertname: 'TailBudgetLowTraffic', severity: 'warning', ...budget },
      { alertname: 'TailPhaseShift', severity: 'warning', ...buy, phase: 'gc' },
      { alertname: 'TailBudgetBurnSlow', severity: 'warning', ...budget, operation: 'GET /quote' },
      { alertname: 'TailPhaseShift', severity: 'warning', ...buy, operation: 'GET /quote', phase: 'gc' },
      { alertname: 'TailIngestLoss', severity: 'critical', lost: 'spans' },
      { alertname: 'TailIngestLoss', severity: 'warning', lost: 'spans' },
      { alertname: 'TailIngestLoss', severity: 'warning', lost: 'export requests' },
      { alertname: 'TailTargetDown', severity: 'critical', job: 'tailspan', instance: 'a:9464' },
      { alertname: 'TailNoData', severity: 'warning', service_name: 'gateway' }
    ])
    expect(
      told.map(({ alertname, operation, lost }) => [alertname, operation ?? lost ?? ''].join(' ').trim()).sort()
    ).toEqual([
      'TailBudgetBurnFast GET /buy',
      'TailBudgetBurnSlow GET /quote',
      'TailIngestLoss export requests',
      'TailIngestLoss spans',
      'TailPhaseShift GET /quote',
      'TailTargetDown'
    ])
  } finally {
    await alertmanager.stop()
  }
})
