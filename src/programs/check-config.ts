import { type Environment } from '../settings/expand.ts'
import { readSettings } from './settings-file.ts'

/** Says that a settings file is right, or throws a Fault that names every mistake in it. */
export function checkConfig(fileName: string, env: Environment): string {
  readSettings(fileName, env)
  return `${fileName}: no mistakes`
}
