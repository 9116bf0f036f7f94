import { readFileSync } from 'node:fs'
import { Fault } from '../runtime/fault.ts'
import { type Environment } from '../settings/expand.ts'
import { loadSettings, type Settings } from '../settings/settings.ts'

/** Settings from a file, or the defaults without one. Throws BAD_SETTINGS. */
export function readSettings(fileName: string | undefined, env: Environment): Settings {
  if (fileName === undefined) return loadSettings('', 'defaults', env)
  return loadSettings(readText(fileName), fileName, env)
}

function readText(fileName: string): string {
  try {
    return readFileSync(fileName, 'utf8')
  } catch (reason) {
    throw new Fault('BAD_SETTINGS', `${fileName}: ${Fault.from(reason).message}`, { cause: reason })
  }
}
