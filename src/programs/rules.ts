import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Environment } from '../settings/expand.ts'
import { type Settings } from '../settings/settings.ts'
import { alertRule } from './rules/alert.ts'
import { budgetAlerts } from './rules/budget-alerts.ts'
import { operationAlerts } from './rules/operation-alerts.ts'
import { ownAlerts } from './rules/own-alerts.ts'
import { recordingGroups } from './rules/recording.ts'
import { ruleFile } from './rules/rule-file.ts'
import { createWindows } from './rules/windows.ts'
import { readSettings } from './settings-file.ts'

export const RULE_FILE = 'tailspan.rules.yaml'

export interface RulesOptions {
  readonly configFile: string | undefined
  /** A folder to write to; printed without it. */
  readonly out: string | undefined
  readonly windowScale: number
  readonly env: Environment
  readonly print: (line: string) => void
}

/** Writes Prometheus' rules. Throws BAD_SETTINGS. */
export function writeRules({ configFile, out, windowScale, env, print }: RulesOptions): void {
  const text = rulesText(readSettings(configFile, env), windowScale)
  if (out === undefined) {
    print(text.trimEnd())
    return
  }
  mkdirSync(out, { recursive: true })
  const path = join(out, RULE_FILE)
  writeFileSync(path, text)
  print(path)
}

/** Rules as these settings want them. `windowScale` below 1 makes every window that much shorter. */
export function rulesText({ alerting, expose }: Settings, windowScale = 1): string {
  const windows = createWindows(windowScale, alerting.scrapeIntervalMs)
  const alerts = {
    'tailspan-budget-alerts': budgetAlerts(alerting, windows),
    'tailspan-operation-alerts': operationAlerts(alerting, windows),
    'tailspan-own-alerts': ownAlerts(alerting, expose.scrapeTimeoutMs, windows)
  }
  const groups = Object.entries(alerts).map(([name, found]) => ({
    name,
    rules: found.map((alert) => alertRule(alert, alerting))
  }))
  const head = [
    'Recording rules and alerts for Prometheus, written by `tailspan rules`. Change the settings (alerting), not this file.',
    ...(windowScale === 1 ? [] : [`For a demonstration: every window is ${windowScale} of what its name says.`])
  ]
  return ruleFile([...recordingGroups(windows), ...groups], head)
}
