import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Episode, type Level, type ShopResult } from '../shop.ts'

export const levels: readonly Level[] = ['default', 'waits', 'companion']

/** `meta.json` of a recording: what was done, so that it can be done again. */
export interface Meta {
  readonly cause: string
  readonly level: Level
  readonly seed: number
  readonly startedUnixNano: string
  readonly seconds: number
  /** Requests a second that the load asked for. */
  readonly rate: number
  readonly episodes: readonly Episode[]
  /** For how long threads of each service were ready and the kernel ran others: no truth taken inside sees it. */
  readonly cpuDelayMs?: ShopResult['cpuDelayMs']
}

/** A folder with what the services sent, and what really happened to them. */
export interface Recording {
  readonly folder: string
  readonly meta: Meta
  /** OTLP as it came, for `tailspan analyze`. */
  readonly traceFiles: readonly string[]
  readonly metricFiles: readonly string[]
  readonly truthFiles: readonly string[]
}

export const META_FILE = 'meta.json'
export const TRACES_FILE = 'traces.pb.gz'
export const METRICS_FILE = 'metrics.pb.gz'
export const TRUTH_SUFFIX = '.truth.jsonl'

export function openRecording(folder: string): Recording {
  const metaFile = join(folder, META_FILE)
  if (!existsSync(metaFile)) throw new Error(`${folder}: not a recording, it has no ${META_FILE}`)
  const names = readdirSync(folder).sort()
  const matching = (pattern: RegExp): string[] =>
    names.filter((name) => pattern.test(name)).map((name) => join(folder, name))
  return {
    folder,
    meta: readMeta(metaFile),
    traceFiles: matching(/^traces\./),
    metricFiles: matching(/^metrics\./),
    truthFiles: matching(/\.truth\.jsonl(\.gz)?$/)
  }
}

function readMeta(file: string): Meta {
  const meta = JSON.parse(readFileSync(file, 'utf8')) as Partial<Meta>
  const { cause, level, seed, seconds } = meta
  const isComplete = typeof cause === 'string' && typeof seed === 'number' && typeof seconds === 'number'
  if (!isComplete || level === undefined || !levels.includes(level)) {
    throw new Error(`${file}: needs a cause, a seed, seconds and a level (${levels.join(', ')})`)
  }
  return meta as Meta
}

/** The folders that are recordings, and those directly inside the others. */
export function findRecordings(folders: readonly string[]): Recording[] {
  return folders.flatMap((folder) => {
    if (!existsSync(folder)) throw new Error(`${folder}: there is no such folder`)
    if (existsSync(join(folder, META_FILE))) return [openRecording(folder)]
    return readdirSync(folder)
      .sort()
      .map((name) => join(folder, name))
      .filter((inside) => statSync(inside).isDirectory() && existsSync(join(inside, META_FILE)))
      .map(openRecording)
  })
}

export const recordingName = ({ folder }: Recording): string => basename(folder)
