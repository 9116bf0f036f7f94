import { z } from 'zod'
import { acceptSection, acceptSettings, type AcceptSettings } from '../accept/settings.ts'
import { assembleSection, assembleSettings, type AssembleSettings } from '../assemble/settings.ts'
import { decomposeSection, decomposeSettings, rulesSection, type DecomposeSettings } from '../decompose/settings.ts'
import { budgetsSection, explainSection, explainSettings, type ExplainSettings } from '../explain/settings.ts'
import { exposeSection, exposeSettings, type ExposeSettings } from '../expose/settings.ts'
import { logLevels, type LogLevel } from '../runtime/log.ts'
import { durationMs, section } from '../runtime/setting-kinds.ts'
import { alertingSection, alertingSettings, type AlertingSettings } from './alerting.ts'
import { checkSettings, type CrossCheck } from './check.ts'
import { type Environment } from './expand.ts'
import { valueAt } from './problems.ts'

const DATA_INTERVAL_MAX_MS = 86_400_000

/** The whole file: a section per stage, each declared beside its stage. */
export const settingsSchema = section({
  insecure: z
    .boolean()
    .default(false)
    .describe(
      'Allows addresses beyond loopback without authentication: whoever reaches them may send spans and read every name. Only behind a network policy or a proxy that asks who is there.'
    ),
  log: section({
    level: z
      .enum(logLevels)
      .default('info')
      .describe('What is logged, one JSON line each. debug says why traces were closed early.')
  }).prefault({}),
  data_directory: z
    .string()
    .max(4_096)
    .default('')
    .describe(
      'Where history, thresholds and what was learned are kept over a restart: a folder of this service alone, made if it is missing. Empty: nothing is written to disk, and a restart begins anew.'
    ),
  data_interval: durationMs
    .refine((ms) => ms >= 1_000 && ms <= DATA_INTERVAL_MAX_MS, 'expected 1s to 1d')
    .default(5 * 60_000)
    .describe('How often they are written there, beside once at shutdown. A crash loses at most so much.'),
  shutdown: section({
    drain_timeout: durationMs
      .default(10_000)
      .describe(
        'How long requests already here may take to end. Keep it below the grace period of whoever stops the process.'
      ),
    last_scrape_wait: durationMs
      .default(5_000)
      .describe(
        'How long to wait for one more scrape, so that the last counts are not lost. Only where there were scrapes at all; 0s does not wait.'
      )
  }).prefault({}),
  accept: acceptSection.prefault({}),
  assemble: assembleSection.prefault({}),
  decompose: decomposeSection.prefault({}),
  rules: rulesSection
    .default([])
    .describe(
      'What you know of spans that Tailspan does not: which, what their time was, and which attribute says how much. Tried in order, the first for each phase counts. `tailspan check-config` says what each does.'
    ),
  explain: explainSection.prefault({}),
  budgets: budgetsSection
    .default([])
    .describe(
      'How slow operations may be: what alerts are made of. Of several that match an operation only the most specific counts: the service is compared first, then the operation, and a name beats a pattern. `tailspan check-config` says which; `tailspan budgets suggest` writes them from what was seen.'
    ),
  expose: exposeSection.prefault({}),
  alerting: alertingSection.prefault({})
})

export interface Settings {
  readonly insecure: boolean
  readonly log: { readonly level: LogLevel }
  /** Empty = none. */
  readonly dataDirectory: string
  readonly dataIntervalMs: number
  readonly shutdown: { readonly drainTimeoutMs: number; readonly lastScrapeWaitMs: number }
  readonly accept: AcceptSettings
  readonly assemble: AssembleSettings
  readonly decompose: DecomposeSettings
  readonly explain: ExplainSettings
  readonly expose: ExposeSettings
  readonly alerting: AlertingSettings
}

/** Reads a settings file; an empty text gives the defaults. Throws a Fault BAD_SETTINGS that names every problem, a line each. */
export function loadSettings(text: string, fileName: string, env: Environment): Settings {
  const checked = checkSettings(settingsSchema, { text, fileName, env }, checkAddresses)
  return {
    insecure: checked.insecure,
    log: checked.log,
    dataDirectory: checked.data_directory,
    dataIntervalMs: checked.data_interval,
    shutdown: {
      drainTimeoutMs: checked.shutdown.drain_timeout,
      lastScrapeWaitMs: checked.shutdown.last_scrape_wait
    },
    accept: acceptSettings(checked.accept),
    assemble: assembleSettings(checked.assemble),
    decompose: decomposeSettings(checked.decompose, checked.rules),
    explain: explainSettings(checked.explain, checked.budgets),
    expose: exposeSettings(checked.expose),
    alerting: alertingSettings(checked.alerting)
  }
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i

const checkAddresses: CrossCheck = (written) => {
  if (valueAt(written, ['insecure']) === true) return []
  return [
    ['accept', 'host'],
    ['expose', 'host']
  ].flatMap((path) => {
    const host = valueAt(written, path)
    if (typeof host !== 'string' || host === '' || LOOPBACK.test(host)) return []
    const message = `other machines reach ${host} and nobody asks who they are; use 127.0.0.1, or set insecure: true`
    return [{ path, message }]
  })
}
