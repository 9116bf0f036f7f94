/** `npm run truth`: holds what Tailspan says of recordings of the shop against what really happened in them. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { truthDocument } from './document.ts'
import { type CauseName, causeNames, isCauseName } from '../causes.ts'
import { type Level } from '../shop.ts'
import { record } from './record.ts'
import { findRecordings, levels, type Recording } from './recording.ts'
import { type Scored, tables, worth } from './report.ts'
import { scoreRecording } from './score-recording.ts'

const HELP = `npm run truth -- [--level L] [--without RULE[,RULE]] [DIR...]
  scores recordings (those in examples/shop/recordings without DIR) and prints the table; of all levels and with
  all rules it also writes examples/shop/TRUTH.md
  --level L       only this level: ${levels.join(', ')}
  --without RULE  also without these inference rules, and what is lost
  --no-write      leave TRUTH.md as it is

npm run truth record -- --cause C --seed S [--level L] [--seconds N] [--rate R] [--out DIR]
  runs the shop and keeps what it sends and what really happened
  --cause C       one of the shop's causes, several with commas, or all
  --level L       ${levels.join(', ')}, or all (default)
  --seconds N     how long each recording lasts (40)
  --rate R        requests a second (100)
  --slim          truth as amounts only, without places: for fixtures
  --out DIR       where the folders go, one a recording (examples/shop/recordings)`

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const RECORDINGS = here('../recordings')
const TRUTH_FILE = here('../TRUTH.md')
const text = { type: 'string' } as const
const slim = { type: 'boolean' } as const

async function scoreAll(recordings: readonly Recording[], without: readonly string[]): Promise<Scored[]> {
  const scored: Scored[] = []
  for (const recording of recordings) {
    const { cause, level, seed } = recording.meta
    scored.push({ cause, level, seed, tally: await scoreRecording(recording, without) })
  }
  return scored
}

async function scoreCommand(args: string[]): Promise<void> {
  const options = { level: text, without: text, 'no-write': { type: 'boolean' } } as const
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
  const level = values.level === undefined ? undefined : levelOf(values.level)
  const without = (values.without ?? '').split(',').filter((rule) => rule !== '')
  const found = findRecordings(positionals.length > 0 ? positionals : [RECORDINGS])
  const recordings = found.filter(({ meta }) => level === undefined || meta.level === level)
  if (recordings.length === 0) throw new Error('there are no such recordings; npm run truth record makes some')
  const scored = await scoreAll(recordings, [])
  console.log(tables(scored))
  if (without.length > 0) {
    console.log(`\nWithout ${without.join(', ')}\n`)
    console.log(worth(scored, await scoreAll(recordings, without)))
  } else if (level === undefined && values['no-write'] !== true) {
    writeFileSync(TRUTH_FILE, truthDocument(scored, recordings))
    console.log(`\nWritten to examples/shop/TRUTH.md.`)
  }
}

function levelOf(name: string): Level {
  const level = levels.find((known) => known === name)
  if (level === undefined) throw new Error(`there is no level ${name}; there are ${levels.join(', ')}`)
  return level
}

function causeOf(name: string): CauseName {
  if (!isCauseName(name)) throw new Error(`no cause ${name}; there are ${causeNames.join(', ')}`)
  return name
}

function positive(name: string, given: string | undefined, fallback: number): number {
  const value = given === undefined ? fallback : Number(given)
  if (!(value > 0 && Number.isFinite(value))) throw new Error(`--${name} takes a number above 0, got ${given ?? ''}`)
  return value
}

async function recordCommand(args: string[]): Promise<void> {
  const options = { cause: text, level: text, seed: text, seconds: text, rate: text, out: text, slim } as const
  const { values } = parseArgs({ args, options })
  if (values.cause === undefined || values.seed === undefined) throw new Error('--cause and --seed are needed')
  const seed = positive('seed', values.seed, 1)
  const seconds = positive('seconds', values.seconds, 40)
  const rate = positive('rate', values.rate, 100)
  const out = values.out ?? RECORDINGS
  const wanted = values.cause === 'all' ? causeNames : values.cause.split(',').map(causeOf)
  const wantedLevels =
    values.level === undefined || values.level === 'all' ? levels : values.level.split(',').map(levelOf)
  // Only here, because it builds services in two languages; scoring needs none of them.
  const { runShop } = await import('../shop.ts')
  for (const cause of wanted) {
    for (const level of wantedLevels) {
      const folder = join(out, `${cause}-${level}-${seed}`)
      if (existsSync(folder)) {
        console.log(`${folder}: is there already`)
        continue
      }
      const { traceBodies, metricBodies, truthFiles } = await record(
        { cause, level, seed, seconds, rate, folder, slim: values.slim === true, say: console.log },
        runShop
      )
      console.log(
        `${folder}: ${traceBodies} bodies of traces, ${metricBodies} of metrics, truth of ${truthFiles} processes`
      )
    }
  }
}

const [command, ...rest] = process.argv.slice(2)
try {
  if (command === 'record') await recordCommand(rest)
  else if (command === '--help' || command === 'help') console.log(HELP)
  else await scoreCommand(process.argv.slice(2))
} catch (reason) {
  console.error(`truth: ${reason instanceof Error ? reason.message : String(reason)}`)
  process.exitCode = 1
}
