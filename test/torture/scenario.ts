import { type LiveService, type SettingsFile, type StartOptions } from '../builders/live-service.ts'
import { type Exposition } from '../builders/prometheus-text.ts'
import { type Tally } from '../builders/tally.ts'
import { type Ledger } from './ledger.ts'
import { type Vitals } from './vitals.ts'

/** One thing that is done to the service: a file in scenarios/ that exports `scenario`. */
export interface Scenario<Facts = unknown> {
  /** A few words; also what `--only` looks for. */
  readonly name: string
  /** What is thrown, for the table. */
  readonly thrown: string
  /** Left out of `--short`, where its idea needs minutes. */
  readonly longOnly?: boolean
  readonly settings?: SettingsFile
  /** Names of free ports for servers of the scenario's own; `{name}` in a text of `settings` is replaced by the number. */
  readonly ports?: readonly string[]
  readonly start?: ScenarioStart
  readonly limits?: Partial<Limits>
  readonly run: (bed: Bed) => Promise<Facts>
  /** What happened, for the table: the facts in a line. */
  readonly happened: (facts: Facts) => string
  /** What must hold of the facts, beyond what must hold of every scenario. */
  readonly judge: (facts: Facts, tally: Tally) => void
}

export interface ScenarioStart extends Pick<StartOptions, 'nodeArguments' | 'env'> {
  /** A control group around the process, where one can be made: `bed.confined` tells. */
  readonly cgroup?: { readonly memoryBytes?: number; readonly cpus?: number }
}

/** What holds of every scenario unless it says otherwise. */
export interface Limits {
  /** Resident memory beyond what it was once ready. */
  readonly grownMibMax: number
  /** Resident memory as a whole. */
  readonly residentMibMax: number
  readonly healthMsMax: number
  readonly metricsP99MsMax: number
  /** Of the scrapes of the watcher, the share that may be refused or cut. */
  readonly metricsFailedShareMax: number
  /** From the end of the attack until /readyz, /metrics and an honest sender are served as ever. */
  readonly readyMsMax: number
  /** The process is killed or restarted by the scenario: nothing then is said of answers in between. */
  readonly mayBeDown: boolean
  /**
   * Requests that the counters know of, over all services: where a service's own do not tell, because its rows may be given
   * to another or because some are lost and counted as that.
   */
  readonly countedTogether: ((exposition: Exposition) => number) | undefined
  /** Counters of a process that was restarted start anew: the ledger is then judged by the scenario itself. */
  readonly countersRestart: boolean
}

const defaultLimits: Limits = {
  grownMibMax: 768,
  residentMibMax: Infinity,
  healthMsMax: 2_000,
  metricsP99MsMax: 1_000,
  metricsFailedShareMax: 0,
  readyMsMax: 30_000,
  mayBeDown: false,
  countedTogether: undefined,
  countersRestart: false
}

/** How much of everything is thrown. */
export interface Form {
  /** The form for every change. */
  readonly short: boolean
  /** Of loads that last for minutes, in the whole form; as each scenario has it when none is given. */
  readonly minutes: number | undefined
}

/** Where a scenario runs: the service as a process of its own, and what is kept about it. */
export interface Bed {
  /** The process as it is now. */
  readonly service: LiveService
  readonly ledger: Ledger
  /** For checks that are made on the way. */
  readonly tally: Tally
  readonly short: boolean
  /** Whether the control group that was asked for is there. */
  readonly confined: boolean
  /** An empty folder, removed in the end. It is data for `settings` too: `{folder}` in a text is replaced by it. */
  readonly folder: string
  /** Of those that the scenario asked for. */
  readonly port: (name: string) => number
  /** Of the two, what fits the form of this run. */
  readonly pick: <T>(short: T, whole: T) => T
  /** How long a load lasts that the run may have been told to hold longer. */
  readonly lasting: (shortMs: number, wholeMs: number) => number
  /** The counters once all that is acknowledged by now is in them, or after a while without. */
  readonly settled: () => Promise<Exposition>
  /** Memory and answers as the watcher has seen them so far. */
  readonly vitals: () => Promise<Vitals>
  /** SIGKILL. */
  readonly kill: () => Promise<void>
  /** Starts it again on the same ports, after `kill` or (with SIGTERM first) from running; gives the ms until it was ready. */
  readonly restart: () => Promise<number>
  /** Runs when the scenario has ended, however it ended. */
  readonly defer: (cleanUp: () => Promise<void> | void) => void
}

/** Keeps the type of the facts between `run`, `happened` and `judge`, and hides it from whoever runs them. */
export function defineScenario<Facts>(scenario: Scenario<Facts>): Scenario {
  return scenario as Scenario
}

/** The short form runs where others take the processor too: there answers must come, and how soon is for the whole form. */
const shortAnswerMsMax = 20_000

export function limitsOf(scenario: Scenario, short: boolean): Limits {
  const limits = { ...defaultLimits, ...scenario.limits }
  return short ? { ...limits, healthMsMax: shortAnswerMsMax, metricsP99MsMax: shortAnswerMsMax } : limits
}
