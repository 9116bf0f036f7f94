import { isDeepStrictEqual } from 'node:util'
import { withoutIdentifiers } from '../../accept/index.ts'
import { budgetWarnings } from '../../explain/index.ts'
import { createCounters } from '../../runtime/counters.ts'
import { Fault } from '../../runtime/fault.ts'
import { type Log } from '../../runtime/log.ts'
import { type Settings } from '../../settings/settings.ts'

const Result = { ok: 0, refused: 1 } as const
export const serveCounters = {
  tail_settings_reloads_total: {
    help: 'Times that the settings file was read again because of SIGHUP. Of a refused one nothing is in force; the log says why.',
    label: 'result',
    values: Object.keys(Result)
  }
}

/** What takes new settings while it runs. */
export interface Reloadable {
  /** Users' rules from now on. Throws BAD_SETTINGS, and then the old ones stay. */
  readonly setRules: (rules: Settings['decompose']['rules']) => void
  /** Latency budgets from now on. */
  readonly setBudgets: (budgets: Settings['explain']['budgets']) => void
}

export interface Reload {
  /** Puts what the file says now in force, where that can be done while the service runs; else all stays, and the log says why. */
  readonly reload: () => void
  readonly counters: { readonly samples: ReturnType<typeof createCounters>['samples'] }
}

/** `running`: the settings as the file had them at the start. */
export function createReload(running: Settings, read: () => Settings, target: Reloadable, log: Log): Reload {
  const counters = createCounters(serveCounters)
  return {
    reload() {
      try {
        const wanted = read()
        const { rules } = wanted.decompose
        const { budgets } = wanted.explain
        target.setRules(rules)
        target.setBudgets(budgets)
        warnOfBudgets(wanted, log)
        log.level = wanted.log.level
        counters.add('tail_settings_reloads_total', 1, Result.ok)
        const inForce = { level: wanted.log.level, rules: rules.length, budgets: budgets.length }
        const needsRestart = whatNeedsRestart(running, wanted)
        log.info({ ...inForce, needsRestart }, 'settings reloaded; what needsRestart names is not in force yet')
      } catch (reason) {
        counters.add('tail_settings_reloads_total', 1, Result.refused)
        const problems = Fault.from(reason).message.split('\n')
        log.error({ problems }, 'settings not reloaded; the old ones stay in force')
      }
    },
    counters
  }
}

export function warnOfBudgets({ explain }: Settings, log: Log): void {
  for (const { at, text } of budgetWarnings(explain, { counted: withoutIdentifiers })) {
    log.warn(at === undefined ? text : `budgets[${at}]: ${text}`)
  }
}

/** What is in force at once, and what is only for `tailspan rules`. */
const neverNeedsRestart = new Set(['log', 'alerting'])

/** Sections that differ in more than what a reload changes: the level of the log, the rules and the budgets. */
function whatNeedsRestart(running: Settings, wanted: Settings): string[] {
  const fixed = ({ decompose, explain, ...others }: Settings): object => ({
    ...others,
    decompose: { ...decompose, rules: [] },
    explain: { ...explain, budgets: [] }
  })
  const now = new Map(Object.entries(fixed(running)))
  return Object.entries(fixed(wanted)).flatMap(([section, value]) =>
    neverNeedsRestart.has(section) || isDeepStrictEqual(value, now.get(section)) ? [] : [section]
  )
}
