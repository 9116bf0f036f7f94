#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import { type BudgetQuantile, budgetQuantiles } from './model/budgets.ts'
import { Fault } from './runtime/fault.ts'

// The second start compiles nothing: a third less CPU until it listens. Where nothing can be written it does nothing.
enableCompileCache()

const BAD_USAGE = 2
const { env } = process

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

const program = new Command('tailspan')
  .description('Tells why the slowest one percent of requests is slow: OTLP in, phases out, on /metrics.')
  .version(packageJson.version, '-V, --version')
  .exitOverride()
  .showHelpAfterError('(--help shows what there is)')

program
  .command('serve')
  .description('takes OTLP and answers on /metrics, until SIGTERM')
  .option('-c, --config <file>', 'settings, YAML; without it the file that TAILSPAN_CONFIG names, else the defaults')
  .action(async ({ config }: { config?: string }) => {
    const [{ serve }, { buildPipeline }] = await Promise.all([import('./programs/serve.ts'), import('./pipeline.ts')])
    const configFile = config ?? env['TAILSPAN_CONFIG']
    await serve({
      configFile,
      env,
      version: packageJson.version,
      buildPipeline,
      print,
      exit: (code) => process.exit(code)
    })
  })

program
  .command('analyze')
  .description('tells the same of files: OTLP as JSON or protobuf, gzipped or not, traces and metrics in any order')
  .argument('<files...>')
  .option('--json', 'one JSON document instead of a table')
  .option('--service <name>', 'only this service')
  .option('--operation <name>', 'only this operation')
  .option(
    '--learned <file>',
    'what a running service has learned (GET /api/v1/learned), instead of learning from the files'
  )
  .option(
    '--explain <trace>',
    'only the trace with this id (32 hex digits), and every claim on its spans',
    parseTraceId
  )
  .option('-c, --config <file>', 'settings, YAML')
  .action(
    async (
      files: string[],
      flags: {
        json?: true
        service?: string
        operation?: string
        learned?: string
        explain?: Uint32Array
        config?: string
      }
    ) => {
      const [{ analyze }, { createFileOutput }] = await Promise.all([
        import('./programs/analyze.ts'),
        import('./programs/analyze/text-output.ts')
      ])
      const output = createFileOutput(process.stdout.fd)
      process.exitCode = await analyze({ files, ...flags, env, terminal: process.stderr, output })
    }
  )

program
  .command('rules')
  .description('writes recording rules and alerts for Prometheus')
  .option('-c, --config <file>', 'settings, YAML; section alerting')
  .option('-o, --out <folder>', 'where to write them; printed without it')
  .option('--window-scale <factor>', 'makes every window shorter, to see an alert at once', parseScale, 1)
  .action(async ({ config, out, windowScale }: { config?: string; out?: string; windowScale: number }) => {
    const { writeRules } = await import('./programs/rules.ts')
    writeRules({ configFile: config, out, windowScale, env, print })
  })

program
  .command('check-config')
  .description('tells every mistake in a settings file at once')
  .argument('<file>')
  .action(async (file: string) => {
    const { checkConfig } = await import('./programs/check-config.ts')
    print(checkConfig(file, env))
  })

program
  .command('hash-secret')
  .description('prints what a file of access.credentials may hold instead of a password; reads it from standard input')
  .option('--token', 'of a token that a machine made, instead of a password')
  .action(async ({ token = false }: { token?: boolean }) => {
    const { hashSecret } = await import('./programs/hash-secret.ts')
    print(await hashSecret({ input: process.stdin, token }))
  })

program
  .command('budgets')
  .description('latency budgets')
  .command('suggest')
  .description('prints budgets that what was seen would keep, as YAML for the settings file')
  .argument('[files...]', 'OTLP files, as analyze reads them')
  .option('--from <url>', 'a running service instead of files: the address of its /metrics')
  .option('--service <name>', 'only this service')
  .option('--operation <name>', 'only this operation')
  .option('--targets <list>', 'of p50, p95, p99, p99.9', parseQuantiles, ['p95', 'p99'])
  .option('-c, --config <file>', 'settings, YAML, for reading files')
  .action(
    async (
      files: string[],
      flags: { from?: string; service?: string; operation?: string; targets: BudgetQuantile[]; config?: string },
      command: Command
    ) => {
      if ((flags.from === undefined) === (files.length === 0))
        command.error('error: give files, or --from and no files')
      const [{ suggestBudgets }, { createFileOutput }] = await Promise.all([
        import('./programs/suggest-budgets.ts'),
        import('./programs/analyze/text-output.ts')
      ])
      const output = createFileOutput(process.stdout.fd)
      const { targets: quantiles, ...others } = flags
      process.exitCode = await suggestBudgets({ files, quantiles, ...others, env, terminal: process.stderr, output })
    }
  )

try {
  await program.parseAsync()
  process.exit()
} catch (reason) {
  process.exit(codeOf(reason))
}

function parseTraceId(text: string): Uint32Array {
  if (!/^[0-9a-f]{32}$/i.test(text)) throw new InvalidArgumentError('expected 32 hex digits')
  return Uint32Array.from([0, 8, 16, 24], (at) => parseInt(text.slice(at, at + 8), 16))
}

function parseQuantiles(text: string): BudgetQuantile[] {
  const known = Object.keys(budgetQuantiles)
  const asked = text.split(',')
  if (!asked.every((quantile) => known.includes(quantile)))
    throw new InvalidArgumentError(`expected ${known.join(', ')}`)
  return known.filter((quantile) => asked.includes(quantile)) as BudgetQuantile[]
}

function parseScale(text: string): number {
  const factor = Number(text)
  if (factor > 0 && factor <= 1) return factor
  throw new InvalidArgumentError('expected a number above 0, at most 1')
}

/** Says what is wrong, and which code to end with. */
function codeOf(reason: unknown): number {
  if (reason instanceof CommanderError) return reason.exitCode === 0 ? 0 : BAD_USAGE
  const isBrokenPipe = (reason as { code?: unknown }).code === 'EPIPE'
  if (isBrokenPipe) return 0
  const fault = Fault.from(reason)
  console.error(wording(fault))
  return fault.code === 'BAD_SETTINGS' ? BAD_USAGE : 1
}

function wording(fault: Fault): unknown {
  if (fault.code === 'BUG') return fault.cause ?? fault
  // Mistakes in settings come with file and line, as editors and people know them from compilers.
  return fault.code === 'BAD_SETTINGS' ? fault.message : `tailspan: ${fault.message}`
}
