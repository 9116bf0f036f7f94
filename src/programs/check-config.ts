import { withoutIdentifiers } from '../accept/index.ts'
import { describeRules } from '../decompose/index.ts'
import { describeBudgets } from '../explain/index.ts'
import { type Environment } from '../settings/expand.ts'
import { fitToMemory } from '../settings/memory-fit.ts'
import { readSettings } from './settings-file.ts'

/** Says that a settings file is right and what its rules and budgets do, or throws a Fault that names every mistake in it. */
export function checkConfig(fileName: string, env: Environment): string {
  const settings = readSettings(fileName, env)
  const { decompose, explain, memoryLimitBytes } = settings
  // What `auto` comes to depends on where it is read.
  if (memoryLimitBytes !== 'auto') fitToMemory(settings, memoryLimitBytes)
  return [
    `${fileName}: no mistakes`,
    ...describeRules(decompose.rules),
    ...describeBudgets(explain, { counted: withoutIdentifiers })
  ].join('\n')
}
