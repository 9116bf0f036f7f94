/** The shipped rules and routes at work: a Prometheus that scrapes a Tailspan, and an Alertmanager. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { RULE_FILE } from '../../src/programs/rules.ts'
import { tailspan } from './command.ts'
import { startAlertmanager, startPrometheus, type Alertmanager, type Prometheus } from './monitoring.ts'

export const routesFile = fileURLToPath(new URL('../../deploy/alertmanager/alertmanager.yaml', import.meta.url))

interface Routes {
  readonly route: { readonly routes: readonly object[] }
  readonly receivers: readonly { readonly name: string }[]
}

export interface AlertingOptions {
  /** host:port of Tailspan's metrics. */
  readonly target: string
  /** For the section `alerting` of the settings. */
  readonly alerting?: Readonly<Record<string, unknown>>
  readonly windowScale: number
  readonly everyMs: number
  /** Features of Prometheus. */
  readonly features?: readonly string[]
  /** Whom the receiver `page` tells, at once. */
  readonly webhookUrl?: string
}

export interface Alerting {
  readonly prometheus: Prometheus
  readonly alertmanager: Alertmanager
  readonly stop: () => Promise<void>
}

export async function startAlerting(options: AlertingOptions): Promise<Alerting> {
  const folder = mkdtempSync(join(tmpdir(), 'tailspan-alerting-'))
  const closers: (() => Promise<unknown>)[] = []
  async function stop(): Promise<void> {
    for (const close of closers.reverse()) await close()
    rmSync(folder, { recursive: true })
  }
  try {
    await writeRules(folder, options)
    const alertmanager = await startAlertmanager(routes(options.webhookUrl))
    closers.push(alertmanager.stop)
    const config = scrapeConfig(join(folder, RULE_FILE), alertmanager.address, options)
    const prometheus = await startPrometheus(config, options.features ?? [])
    closers.push(prometheus.stop)
    return { prometheus, alertmanager, stop }
  } catch (reason) {
    await stop()
    throw reason
  }
}

/** By the command that its users have. */
async function writeRules(folder: string, { target, alerting, windowScale }: AlertingOptions): Promise<void> {
  const settings = join(folder, 'settings.yaml')
  writeFileSync(settings, JSON.stringify({ alerting: { page_url: `http://${target}`, ...alerting } }))
  const flags = ['--config', settings, '--out', folder, '--window-scale', String(windowScale)]
  const { code, stderr } = await tailspan(['rules', ...flags])
  if (code !== 0) throw new Error(stderr)
}

function scrapeConfig(rules: string, alertmanager: string, { target, everyMs }: AlertingOptions): object {
  const every = `${everyMs}ms`
  return {
    global: { scrape_interval: every, scrape_timeout: every, evaluation_interval: every },
    rule_files: [rules],
    alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager] }] }] },
    scrape_configs: [{ job_name: 'tailspan', static_configs: [{ targets: [target] }] }]
  }
}

/** The shipped routes; with a webhook, the page goes out at once. */
function routes(webhookUrl: string | undefined): object {
  const shipped = parse(readFileSync(routesFile, 'utf8')) as Routes
  if (webhookUrl === undefined) return shipped
  return {
    ...shipped,
    route: { ...shipped.route, routes: shipped.route.routes.map((route) => ({ ...route, group_wait: '1s' })) },
    receivers: shipped.receivers.map((receiver) =>
      receiver.name === 'page' ? { ...receiver, webhook_configs: [{ url: webhookUrl }] } : receiver
    )
  }
}
