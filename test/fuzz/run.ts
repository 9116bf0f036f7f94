/**
 * Feeds every parser that eats strangers' bytes with mutants of what it takes: `npm run fuzz`. The seed is printed, and the
 * same seed gives the same inputs. An input that breaks something is written to test/fuzz/corpus, where every later run begins.
 *
 *   --seconds N   for each target (default 60)     --inputs N   at most, for each target
 *   --seed N      (default: drawn)                 --target X   only targets whose name has X in it
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { inspect, parseArgs } from 'node:util'
import { wholeNumbers } from '../builders/whole-numbers.ts'
import { fuzz } from './fuzz.ts'
import { type Target } from './target.ts'
import { fileTargets } from './targets/files.ts'
import { otlpTargets } from './targets/otlp.ts'
import { wireTargets } from './targets/wire.ts'

const corpusFolder = join(import.meta.dirname, 'corpus')

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    inputs: { type: 'string', default: 'Infinity' },
    seed: { type: 'string' },
    target: { type: 'string', default: '' }
  }
})

/** Inputs that once broke something. */
function keptOf({ name }: Target): Uint8Array[] {
  const folder = join(corpusFolder, name)
  try {
    return readdirSync(folder).map((file) => readFileSync(join(folder, file)))
  } catch {
    return []
  }
}

function keep({ name }: Target, input: Uint8Array): string {
  const digest = createHash('sha256').update(input).digest('hex').slice(0, 12)
  mkdirSync(join(corpusFolder, name), { recursive: true })
  writeFileSync(join(corpusFolder, name, digest), input)
  return `test/fuzz/corpus/${name}/${digest}`
}

const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
console.log(`seed ${seed}`)
const targets = [...otlpTargets(), ...wireTargets(), ...(await fileTargets())]
let failed = 0
const chosen = targets.filter(({ name }) => name.includes(values.target))
for (const target of chosen) {
  const startMs = performance.now()
  const budget = { msMax: Number(values.seconds) * 1e3, inputsMax: Number(values.inputs) }
  const { inputs, taken, blocks, failure } = await fuzz(target, keptOf(target), wholeNumbers(seed), budget)
  const seconds = ((performance.now() - startMs) / 1e3).toFixed(1)
  console.log(`${target.name.padEnd(24)} ${inputs} inputs, ${taken} taken, ${blocks} blocks of code, ${seconds} s`)
  if (failure === undefined) continue
  failed += 1
  console.log(`FAILED ${target.name}: ${inspect(failure.reason)}\n  input: ${keep(target, failure.input)}`)
}
console.log(`${chosen.length - failed} passed, ${failed} failed`)
process.exit(failed > 0 ? 1 : 0)
