import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'

/** A scenario as it went. */
export interface Row {
  readonly name: string
  readonly thrown: string
  readonly happened: string
  readonly passed: number
  readonly failed: number
  readonly tookMs: number
}

const file = fileURLToPath(new URL('RESULTS.md', import.meta.url))
const GIB = 1024 ** 3

export function writeResults(rows: readonly Row[], form: string): void {
  const lines = rows.map(({ name, thrown, happened, passed, failed, tookMs }) => {
    const verdict = failed === 0 ? `holds (${passed} checks)` : `**${failed} of ${passed + failed} checks failed**`
    return `| ${[name, thrown, happened, verdict, `${Math.round(tookMs / 1000)} s`].map(cell).join(' | ')} |`
  })
  const machine = `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / GIB)} GiB, Node ${process.version}`
  const text = `# What was thrown at Tailspan, and what happened

Written by \`npm run torture\` (${form}, ${new Date().toISOString().slice(0, 10)}, ${machine}). Of every scenario is checked: what was
acknowledged is counted once, every refusal of an honest body is retryable and in the counters, memory stays below its limit,
\`/healthz\` and \`/metrics\` answer, the service is ready again within 30 s, and it ends with exit code 0. What a scenario
checks beyond that is in its file in \`test/torture/scenarios/\`.

| scenario | thrown | happened | verdict | took |
|---|---|---|---|---|
${lines.join('\n')}
`
  writeFileSync(file, text)
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
