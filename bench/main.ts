import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { durability } from './durability.ts'
import { endToEnd, variants } from './end-to-end.ts'
import { forward } from './forward.ts'
import { growth } from './growth.ts'
import { held } from './held.ts'
import { withParts } from './results.ts'
import { startUp } from './start-up.ts'
import { tls } from './tls.ts'
import { workers } from './workers.ts'
import { yardstick } from './yardstick.ts'

/** One part of the bench: a heading and how to get its Markdown. */
interface Part {
  readonly title: string
  readonly run: () => Promise<string>
}

const PART_MS_MAX = 120_000

/** A part that is a script of its own: what it prints is its Markdown. */
function script(title: string, file: string): Part {
  const path = fileURLToPath(new URL(file, import.meta.url))
  return {
    title,
    async run() {
      if (!existsSync(path)) return `_${file} is not here._`
      const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', path], { timeout: PART_MS_MAX })
      const text = stdout.trim()
      return /^\|/m.test(text) ? text : `\`\`\`\n${text}\n\`\`\``
    }
  }
}

const parts: Readonly<Record<string, Part>> = {
  ...Object.fromEntries(
    Object.entries(variants).map(([name, variant]): [string, Part] => [
      name,
      { title: `End to end, ${variant.name}`, run: () => endToEnd(variant) }
    ])
  ),
  scan: script('Scan and routing alone', 'scan.ts'),
  workers: { title: 'Two workers beside one', run: workers },
  growth: { title: 'Growth with the number of operations', run: growth },
  forward: { title: 'Passing spans on', run: forward },
  tls: { title: 'TLS', run: tls },
  durability: { title: 'Keeping requests on disk', run: durability },
  held: { title: 'Memory of open spans', run: held },
  'start-up': { title: 'Start-up', run: startUp },
  decode: script('Decoder alone', 'decode.ts'),
  transport: script('Transports alone', 'transport.ts'),
  redaction: script('Redaction alone', 'redaction.ts'),
  assemble: script('Assembler alone', 'assemble.ts'),
  close: script('Closing a trace', 'close.ts'),
  explain: script('Explain alone', 'explain.ts'),
  history: script('History of a day', 'history.ts'),
  scrape: script('Scrape of 45,000 series', 'scrape.ts')
}

function machine(): string {
  const memoryGib = Math.round(totalmem() / 1024 ** 3)
  const model = cpus()[0]?.model ?? 'unknown CPU'
  return `${availableParallelism()} cores (${model}), ${memoryGib} GiB, ${process.platform} ${process.arch}, Node ${process.version}`
}

async function main(): Promise<void> {
  const wanted = process.argv.slice(2).filter((argument) => argument !== '--write')
  const unknown = wanted.filter((name) => !(name in parts))
  if (unknown.length > 0) {
    console.error(`no part ${unknown.join(', ')}; there are: ${Object.keys(parts).join(', ')}`)
    process.exitCode = 2
    return
  }
  const chosen = Object.entries(parts).filter(([name]) => wanted.length === 0 || wanted.includes(name))
  const pages: string[] = []
  const print = (text: string): void => {
    pages.push(text)
    console.log(text)
  }
  print('# How fast Tailspan is\n')
  print(`\`npm run bench${wanted.length > 0 ? ` -- ${wanted.join(' ')}` : ''}\` on ${machine()}.`)
  print(
    'Fixed seeds, loopback, the load from a process of its own, medians of 3 runs, of 9 for `workers` and where `forward` and `durability` have bounds. Machines are noisy: compare CPU per span.'
  )
  print(yardstick())
  for (const [name, part] of chosen) {
    const startedMs = performance.now()
    print(`\n## ${part.title} (\`${name}\`)\n`)
    try {
      print(await part.run())
    } catch (error) {
      process.exitCode = 1
      // The checkout's own folder is nobody's business in a committed file.
      const root = fileURLToPath(new URL('..', import.meta.url))
      print(`**failed**: ${(error instanceof Error ? error.message : String(error)).replaceAll(root, '')}`)
    }
    console.error(`(${name}: ${Math.round((performance.now() - startedMs) / 1e3)} s)`)
  }
  if (process.argv.includes('--write')) writeResults(pages.join('\n'), wanted.length === 0)
}

/** A run of some parts takes the place of those alone. */
function writeResults(text: string, isWhole: boolean): void {
  const file = fileURLToPath(new URL('RESULTS.md', import.meta.url))
  const before = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const after = isWhole ? `${text}\n` : withParts(before, text)
  if (before !== after) writeFileSync(file, after)
}

await main()
