import { createReadStream, createWriteStream, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { type ShopResult, type ShopRun } from '../shop.ts'
import { META_FILE, type Meta, TRUTH_SUFFIX } from './recording.ts'
import { startSink } from './sink.ts'

export interface RecordOptions extends Pick<ShopRun, 'cause' | 'level' | 'seed' | 'seconds' | 'rate' | 'say'> {
  /** Folder of the recording; must not be there yet. */
  readonly folder: string
  /** Without the places of truth, only amounts: a third of the size. For fixtures. */
  readonly slim?: boolean
}

/** `runShop` of examples/shop, as far as it is needed. */
export type RunShop = (
  run: ShopRun & { readonly truthDir: string }
) => Promise<Pick<ShopResult, 'episodes' | 'cpuDelayMs'>>

export interface RecordResult {
  readonly traceBodies: number
  readonly metricBodies: number
  readonly truthFiles: number
}

/** Runs the shop and keeps what it sends, and what really happened. A recording that misses something is thrown away. */
export async function record(options: RecordOptions, runShop: RunShop): Promise<RecordResult> {
  const { folder, slim = false, say, ...asked } = options
  if (existsSync(folder)) throw new Error(`${folder}: is there already`)
  const truthDir = join(folder, 'truth')
  mkdirSync(truthDir, { recursive: true })
  const startedUnixNano = String(BigInt(Date.now()) * 1_000_000n)
  const sink = await startSink(folder)
  try {
    const endpoints = { grpc: sink.grpc, http: sink.http }
    const { episodes, cpuDelayMs } = await runShop({
      ...asked,
      ...(say === undefined ? {} : { say }),
      endpoints,
      truthDir
    })
    await sink.close()
    const { traces, metrics, refused } = sink.counts()
    if (refused > 0) throw new Error(`${refused} export requests were refused: the recording would have holes`)
    if (traces === 0) throw new Error('the shop sent no traces')
    const truthFiles = await packTruth(truthDir, folder, slim)
    if (truthFiles === 0) throw new Error('the shop told no truth')
    const meta: Meta = { ...asked, startedUnixNano, episodes, cpuDelayMs }
    writeFileSync(join(folder, META_FILE), `${JSON.stringify(meta, undefined, 2)}\n`)
    return { traceBodies: traces, metricBodies: metrics, truthFiles }
  } catch (reason) {
    await sink.close().catch(() => undefined)
    rmSync(folder, { recursive: true, force: true })
    throw reason
  }
}

async function packTruth(from: string, to: string, slim: boolean): Promise<number> {
  const names = readdirSync(from).filter((name) => name.endsWith(TRUTH_SUFFIX))
  for (const name of names) {
    const lines = createInterface({ input: createReadStream(join(from, name)), crlfDelay: Infinity })
    await pipeline(Readable.from(packed(lines, slim)), createGzip(), createWriteStream(join(to, `${name}.gz`)))
  }
  rmSync(from, { recursive: true })
  return names.length
}

/** A phase that is not named took no time. */
async function* packed(lines: AsyncIterable<string>, slim: boolean): AsyncGenerator<string> {
  for await (const line of lines) {
    if (line === '') continue
    const truth = JSON.parse(line, (_, value: unknown) => (value === 0 ? undefined : value)) as { intervals?: unknown }
    if (slim) delete truth.intervals
    if (!slim || 'self' in truth) yield `${JSON.stringify(truth)}\n`
  }
}
