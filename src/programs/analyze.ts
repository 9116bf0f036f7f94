import { readFileSync, statSync } from 'node:fs'
import { summarize, type TailSummary } from '../explain/index.ts'
import { traceDocument } from '../expose/index.ts'
import { type Decomposition, type RequestColumns } from '../model/decomposition.ts'
import { Fault } from '../runtime/fault.ts'
import { type Strings } from '../runtime/strings.ts'
import { type Environment } from '../settings/expand.ts'
import { explainDocument, explainText } from './analyze/explain-report.ts'
import { createJsonReport } from './analyze/json-report.ts'
import { readOtlpFile } from './analyze/otlp-file.ts'
import { createPasses, type Pass, type Passes, type TraceId } from './analyze/passes.ts'
import { type Payload } from './analyze/payload.ts'
import { createProblems, type Problems } from './analyze/problems.ts'
import { startProgress, type Progress, type Terminal } from './analyze/progress.ts'
import { type TextOutput } from './analyze/text-output.ts'
import { textReport } from './analyze/text-report.ts'
import { readSettings } from './settings-file.ts'

export interface AnalyzeOptions extends Filter {
  readonly files: readonly string[]
  readonly json?: boolean
  /** A dump of /api/v1/learned. */
  readonly learned?: string
  readonly config?: string
  /** Only this trace, and every claim on it. */
  readonly explain?: TraceId
  readonly env: Environment
  /** Where the progress bar goes, and after it what could not be read. */
  readonly terminal: Terminal
  /** Where the answer goes. */
  readonly output: TextOutput
}

/** Only traces with such a request, and only such operations. */
interface Filter {
  readonly service?: string
  readonly operation?: string
}

interface Reading {
  readonly files: readonly string[]
  readonly problems: Problems
  readonly progress: Progress
}

const NOTHING_READ = 1
const NOT_FOUND = 1

/** Reads the files and prints the answer. Gives the exit code. */
export async function analyze(options: AnalyzeOptions): Promise<number> {
  const { json, explain } = options
  const code = await learnAndDecide(options, (passes, reading) => {
    if (explain !== undefined) return printExplained({ ...options, explain }, passes, reading)
    return (json === true ? printJson : printText)(options, passes, reading)
  })
  return code ?? NOTHING_READ
}

/** What the files say of their operations; undefined when nothing in them could be used. */
export function summarizeFiles(options: Omit<AnalyzeOptions, 'json' | 'explain'>): Promise<TailSummary | undefined> {
  return learnAndDecide(options, async (passes, reading) => {
    const pass = passes.decide(undefined)
    if ((await read(pass, reading)) === 0) return undefined
    return filtered(summarize(pass.tables, passes.names.strings), options)
  })
}

/** Reads the files twice, to learn what is usual and then to decide; undefined when nothing in them could be used. */
async function learnAndDecide<T>(
  options: AnalyzeOptions,
  decide: (passes: Passes, reading: Reading) => Promise<T | undefined>
): Promise<T | undefined> {
  const { learned, terminal } = options
  const problems = createProblems()
  const passes = createPasses({ settings: readSettings(options.config, options.env), failed: problems.failed })
  if (learned !== undefined) loadDump(passes, learned)
  const readings = learned === undefined ? 2 : 1
  const usable = usableFiles(options, problems)
  const progress = await startProgress(readings * usable.bytes, terminal)
  const reading = { files: usable.names, problems, progress }
  try {
    // The second reading would only tell of the same problems again.
    const second = learned === undefined ? { ...reading, problems: createProblems() } : reading
    if (learned === undefined && (await read(passes.learn(), reading)) === 0) return undefined
    return await decide(passes, second)
  } finally {
    progress.stop()
    for (const line of problems.lines()) terminal.write(`tailspan: ${line}\n`)
  }
}

/** A dump makes one reading enough; without it the files must be such that can be read again. */
function usableFiles({ files, learned }: AnalyzeOptions, problems: Problems): { names: string[]; bytes: number } {
  const names: string[] = []
  let bytes = 0
  for (const file of files) {
    const found = statSync(file, { throwIfNoEntry: false })
    if (found?.isFile() === false && !found.isDirectory() && learned === undefined) {
      problems.add(file, { where: 'pipe', message: 'it is read twice, which only a file can be; save it to one first' })
      continue
    }
    names.push(file)
    bytes += found?.isFile() === true ? found.size : 0
  }
  return { names, bytes }
}

function loadDump(passes: Passes, file: string): void {
  try {
    passes.load(JSON.parse(readFileSync(file, 'utf8')))
  } catch (reason) {
    throw new Fault('BAD_FILE', `${file}: ${Fault.from(reason).message}`, { cause: reason })
  }
}

/** Gives the number of payloads that could be used. */
async function read(pass: Pass, { files, problems, progress }: Reading): Promise<number> {
  let used = 0
  for (const file of files) {
    const take = (payload: Payload): void => {
      try {
        const refused = pass.take(payload)
        used += 1
        if (refused !== '') problems.add(file, { where: payload.where, message: refused })
      } catch (reason) {
        const fault = Fault.from(reason)
        if (fault.code !== 'BAD_PAYLOAD') throw fault
        problems.add(file, { where: payload.where, message: fault.message })
      }
    }
    const problem = problems.add.bind(undefined, file)
    await readOtlpFile(file, { payload: take, problem, progress: progress.add })
  }
  pass.end()
  return used
}

async function printJson(options: AnalyzeOptions, passes: Passes, reading: Reading): Promise<number> {
  const report = createJsonReport(options.output)
  const { names } = passes
  const pass = passes.decide((decomposition, bands) => {
    if (!matches(decomposition.requests, options, names.strings)) return
    report.trace(traceDocument(decomposition, bands, names))
  })
  if ((await read(pass, reading)) === 0) return NOTHING_READ
  report.end(filtered(summarize(pass.tables, names.strings), options), pass.counts())
  return 0
}

/** A trace closed in parts is told of in parts. */
async function printExplained(
  { explain, json, output, terminal }: AnalyzeOptions & { readonly explain: TraceId },
  passes: Passes,
  reading: Reading
): Promise<number> {
  const { strings } = passes.names
  let found = 0
  const decided = (decomposition: Decomposition): void => {
    if (decomposition.claims === undefined) return
    found += 1
    if (json === true) output.write(`${JSON.stringify(explainDocument(decomposition, strings))}\n`)
    else output.write(explainText(decomposition, strings))
  }
  if ((await read(passes.decide(decided, { explain }), reading)) === 0) return NOTHING_READ
  output.flush()
  if (found > 0) return 0
  reading.progress.stop()
  terminal.write('tailspan: no such trace in the files\n')
  return NOT_FOUND
}

async function printText(options: AnalyzeOptions, passes: Passes, reading: Reading): Promise<number> {
  const { strings } = passes.names
  const pass = passes.decide(undefined)
  if ((await read(pass, reading)) === 0) return NOTHING_READ
  const summary = filtered(summarize(pass.tables, strings), options)
  const counts = pass.counts()
  reading.progress.stop()
  options.output.write(
    textReport({ files: reading.files.length, traces: pass.traces(), counts, summary, tables: pass.tables, strings })
  )
  options.output.flush()
  return 0
}

function matches(requests: RequestColumns, { service, operation }: Filter, strings: Strings): boolean {
  if (service === undefined && operation === undefined) return true
  for (let i = 0; i < requests.n; i++) {
    const isService = service === undefined || strings.text(requests.service[i] as number) === service
    if (isService && (operation === undefined || strings.text(requests.operation[i] as number) === operation))
      return true
  }
  return false
}

function filtered({ operations, blame, boundaries }: TailSummary, { service, operation }: Filter): TailSummary {
  const is = (of: { readonly service: string; readonly operation: string }): boolean =>
    (service === undefined || of.service === service) && (operation === undefined || of.operation === operation)
  // A boundary has two services and no operation.
  const isOfService = (of: { readonly service: string }): boolean => service === undefined || of.service === service
  return {
    operations: operations.filter(is),
    blame: blame.filter(({ root, culprit }) => is(root) || is(culprit)),
    boundaries: boundaries.filter(({ caller, callee }) => isOfService(caller) || isOfService(callee))
  }
}
