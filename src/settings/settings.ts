import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { accessSection, accessSettings, type AccessSettings } from '../access/settings.ts'
import { redactionSection, redactionSettings, type RedactionSettings } from '../accept/redaction/settings.ts'
import { acceptSection, acceptSettings, type AcceptSettings } from '../accept/settings.ts'
import { assembleSection, assembleSettings, type AssembleSettings } from '../assemble/settings.ts'
import { decomposeSection, decomposeSettings, rulesSection, type DecomposeSettings } from '../decompose/settings.ts'
import { budgetsSection, explainSection, explainSettings, type ExplainSettings } from '../explain/settings.ts'
import {
  durabilityMode,
  durabilitySettings,
  segmentLogSection,
  type DurabilitySettings
} from '../durability/settings.ts'
import { exposeSection, exposeSettings, type ExposeSettings } from '../expose/settings.ts'
import { forwardSection, forwardSettings, type ForwardSettings } from '../forward/settings.ts'
import { logLevels, type LogLevel } from '../runtime/log.ts'
import { durationMs, section, sizeBytes } from '../runtime/setting-kinds.ts'
import { checkAddresses } from './addresses.ts'
import { alertingSection, alertingSettings, type AlertingSettings } from './alerting.ts'
import { checkSettings, type CrossCheck } from './check.ts'
import { type Environment } from './expand.ts'
import { valueAt } from './problems.ts'
import { workersFrom, workersSection } from './workers.ts'

const DATA_INTERVAL_MAX_MS = 86_400_000
/** Node, the program and empty tables take 150 MiB. */
export const MEMORY_MIN_BYTES = 256 * 1024 ** 2

/** The whole file: a section per stage, each declared beside its stage. */
export const settingsSchema = section({
  insecure: z
    .boolean()
    .default(false)
    .describe(
      'Allows addresses beyond loopback although nobody is asked who he is: whoever reaches them may send spans and read every name. Only behind a network policy or a proxy that asks. Not needed with access.credentials, or where client certificates are required.'
    ),
  memory_limit: z
    .union([z.literal('auto'), sizeBytes.refine((bytes) => bytes >= MEMORY_MIN_BYTES, 'expected at least 256MiB')])
    .default('auto')
    .describe(
      'Memory of the whole process. From 80 % on senders are told to come back later, above 95 % traces are closed early. auto is 75 % of what the container may use, or of the machine. Tables whose sizes are the defaults below are made smaller until all of them, full, fit into it; sizes that leave no room for the others are refused at the start.'
    ),
  names_bytes_max: sizeBytes
    .refine((bytes) => bytes >= 1024 ** 2 && bytes <= 1024 ** 3, 'expected 1MiB to 1GiB')
    .default(72 * 1024 ** 2)
    .describe(
      'Memory for names and values of attributes, each kept once: of 96 bytes on average 7,000 for each MiB. What comes when it is full is called __other__. Raise it when tail_names_overflow_total grows.'
    ),
  workers: workersSection,
  log: section({
    level: z
      .enum(logLevels)
      .default('info')
      .describe('What is logged, one JSON line each. debug says why traces were closed early.')
  }).prefault({}),
  access: accessSection.prefault({}),
  redaction: redactionSection.prefault({}).describe('What of attributes and names must not be kept, shown or sent on.'),
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
  durability: durabilityMode,
  segment_log: segmentLogSection.prefault({}),
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
  forward: forwardSection.prefault({}),
  alerting: alertingSection.prefault({})
})

export interface Settings {
  readonly insecure: boolean
  /** 1 = everything in the main thread. */
  readonly workers: number
  readonly memoryLimitBytes: number | 'auto'
  readonly namesBytesMax: number
  readonly log: { readonly level: LogLevel }
  readonly access: AccessSettings
  readonly redaction: RedactionSettings
  /** Empty = none. */
  readonly dataDirectory: string
  readonly dataIntervalMs: number
  readonly durability: DurabilitySettings
  readonly shutdown: { readonly drainTimeoutMs: number; readonly lastScrapeWaitMs: number }
  readonly accept: AcceptSettings
  readonly assemble: AssembleSettings
  readonly decompose: DecomposeSettings
  readonly explain: ExplainSettings
  readonly expose: ExposeSettings
  readonly forward: ForwardSettings
  readonly alerting: AlertingSettings
}

/** Reads a settings file; an empty text gives the defaults. Throws a Fault BAD_SETTINGS that names every problem, a line each. */
export function loadSettings(text: string, fileName: string, env: Environment): Settings {
  const checked = checkSettings(settingsSchema, { text, fileName, env }, checkTogether)
  return {
    insecure: checked.insecure,
    workers: workersFrom(checked.workers, availableParallelism()),
    memoryLimitBytes: checked.memory_limit,
    namesBytesMax: checked.names_bytes_max,
    log: checked.log,
    access: accessSettings(checked.access),
    redaction: redactionSettings(checked.redaction),
    dataDirectory: checked.data_directory,
    dataIntervalMs: checked.data_interval,
    durability: durabilitySettings(checked.durability, checked.segment_log),
    shutdown: {
      drainTimeoutMs: checked.shutdown.drain_timeout,
      lastScrapeWaitMs: checked.shutdown.last_scrape_wait
    },
    accept: acceptSettings(checked.accept),
    assemble: assembleSettings(checked.assemble),
    decompose: decomposeSettings(checked.decompose, checked.rules),
    explain: explainSettings(checked.explain, checked.budgets),
    expose: exposeSettings(checked.expose),
    forward: forwardSettings(checked.forward),
    alerting: alertingSettings(checked.alerting)
  }
}

/** Of settings that must suit each other. */
const checkTogether: CrossCheck = (written) => [...checkAddresses(written), ...checkDurability(written)]

/** A folder of the log must be named, and be nobody else's. */
const checkDurability: CrossCheck = (written) => {
  const mode = valueAt(written, ['durability'])
  if (typeof mode !== 'string' || mode === 'off') return []
  const path = ['segment_log', 'directory']
  const directory = valueAt(written, path)
  if (directory === undefined || directory === '') {
    return [{ path, message: `durability is ${mode}, so a folder for the log is needed` }]
  }
  if (directory !== valueAt(written, ['data_directory'])) return []
  return [{ path, message: 'data_directory is the same; the log needs a folder of its own, such as one below it' }]
}
