import { parseArgs } from 'node:util'
import { causeNames, causes, type CauseName, isCauseName } from './causes.ts'
import { type Level, levels } from './shop.ts'

export interface Options {
  /** One after the other. */
  readonly causes: readonly CauseName[]
  readonly level: Level
  readonly seconds: number
  readonly rate: number
  readonly seed: number
  readonly truthDir?: string
}

const width = Math.max(...causeNames.map((name) => name.length))

export const HELP = `npm run shop -- <cause>|all [options]
${causeNames.map((name) => `  ${name.padEnd(width)}  ${causes[name].title}`).join('\n')}
  ${'all'.padEnd(width)}  each of them in turn, then a table: what was injected, what was named, and whether that is right

  --level L      what the services tell: ${levels.join(', ')} (companion)
  --seconds N    how long the load lasts (90)
  --rate N       requests a second (100)
  --seed N       the same seed gives the same load and the same episodes (1)
  --truth DIR    also write what really happened to every span, for recordings of up to 20,000 requests`

/** Throws a line that says what is wrong; nothing when help is asked for. */
export function readArguments(args: readonly string[]): Options | undefined {
  const text = { type: 'string' } as const
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { level: text, seconds: text, rate: text, seed: text, truth: text, help: { type: 'boolean' } }
  })
  if (values.help === true) return undefined
  const [cause, ...rest] = positionals
  if (cause === undefined) throw new Error(`which cause? One of: ${causeNames.join(', ')}, or all`)
  if (cause !== 'all' && !isCauseName(cause)) {
    throw new Error(`no cause is called ${cause}; there are: ${causeNames.join(', ')}, and all`)
  }
  if (rest.length > 0) throw new Error(`one cause at a time, not also ${rest.join(', ')}`)
  return {
    causes: cause === 'all' ? causeNames : [cause],
    level: readLevel(values.level ?? 'companion'),
    seconds: readNumber('seconds', values.seconds ?? '90'),
    rate: readNumber('rate', values.rate ?? '100'),
    seed: readNumber('seed', values.seed ?? '1', 0),
    ...(values.truth === undefined ? {} : { truthDir: values.truth })
  }
}

function readLevel(text: string): Level {
  const level = levels.find((known) => known === text)
  if (level === undefined) throw new Error(`--level takes ${levels.join(', ')}, got ${text}`)
  return level
}

function readNumber(name: string, text: string, least = 1): number {
  const value = text.trim() === '' ? NaN : Number(text)
  if (!Number.isFinite(value) || value < least)
    throw new Error(`--${name} takes a number from ${least} on, got ${text}`)
  return value
}
