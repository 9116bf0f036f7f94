import { access, constants, mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type Counters, createCounters } from '../../runtime/counters.ts'
import { Fault } from '../../runtime/fault.ts'
import { readStateFile, type StateChunk, writeStateFile } from '../../runtime/state-file.ts'

/** What of a pipeline survives a restart. */
export interface PipelineState {
  readonly learned: () => object
  /** Made piece by piece. */
  readonly history: () => Iterable<Uint8Array>
  /** Throws BAD_FILE. */
  readonly restore: (saved: SavedPipeline, nowMs: number) => void
}

export interface SavedPipeline {
  readonly learned: unknown
  readonly history: readonly Uint8Array[]
}

export interface SavedState {
  /**
   * Takes over what an earlier process saved; a file that cannot be is put aside, and the service starts empty. Throws
   * BAD_SETTINGS when nothing could be saved there.
   */
  readonly restore: () => Promise<void>
  /** Saves now and then, until `close`. */
  readonly start: () => void
  /** Saves for the last time. */
  readonly close: () => Promise<void>
  readonly counters: Counters
}

export interface SavedStateOptions {
  readonly directory: string
  readonly everyMs: number
  readonly nowMs: () => number
  readonly version: string
  readonly log: {
    readonly info: (fields: object, message: string) => void
    readonly error: (fields: object, message: string) => void
  }
}

export const STATE_FILE = 'tailspan.state'
const SCHEMA = 'tailspan.state/1'
/** A larger file is none of ours: eight times what history may hold by default. */
const FILE_BYTES_MAX = 512 * 1024 ** 2
/** Rows of what was learned that are spelled out in one go. */
const ROWS_A_CHUNK = 2_000

const Save = { saved: 0, failed: 1 } as const
const Restore = { restored: 0, refused: 1 } as const

export const savedStateCounters = {
  tail_state_saves_total: {
    help: 'Times that history and what was learned were written to data_directory.',
    label: 'result',
    values: Object.keys(Save)
  },
  tail_state_restores_total: {
    help: 'Files found in data_directory at the start. A refused one is damaged, foreign or of another version; the log says which, and the service started empty.',
    label: 'result',
    values: Object.keys(Restore)
  }
}

export function createSavedState(options: SavedStateOptions, state: PipelineState): SavedState {
  const { log, nowMs } = options
  const path = join(options.directory, STATE_FILE)
  const counters = createCounters(savedStateCounters)
  let timer: NodeJS.Timeout | undefined
  let saving: Promise<void> | undefined

  async function save(): Promise<void> {
    const startMs = performance.now()
    try {
      const bytes = await writeStateFile(path, chunksOf(state, { saved_unix_ms: nowMs(), by: options.version }))
      counters.add('tail_state_saves_total', 1, Save.saved)
      log.info({ path, bytes, ms: Math.round(performance.now() - startMs) }, 'state saved')
    } catch (reason) {
      counters.add('tail_state_saves_total', 1, Save.failed)
      log.error({ err: reason, path }, 'state not saved; the last one that was is still there')
    }
  }

  /** One at a time: while a slow disk is at it, the next turn is left out. */
  function saveNow(): Promise<void> {
    saving ??= save().finally(() => {
      saving = undefined
    })
    return saving
  }

  return {
    counters,
    async restore() {
      await mustBeWritable(options.directory)
      try {
        const chunks = await readStateFile(path, FILE_BYTES_MAX)
        if (chunks === undefined) return
        const about = readAbout(chunks)
        state.restore(pipelineOf(chunks), nowMs())
        counters.add('tail_state_restores_total', 1, Restore.restored)
        log.info({ path, ...about }, 'state restored')
      } catch (reason) {
        counters.add('tail_state_restores_total', 1, Restore.refused)
        const aside = `${path}.refused`
        await rename(path, aside).catch(() => undefined)
        log.error({ reason: Fault.from(reason).message, aside }, 'state refused and put aside; starting empty')
      }
    },
    start() {
      timer = setInterval(() => void saveNow(), options.everyMs)
    },
    async close() {
      clearInterval(timer)
      await saving
      await saveNow()
    }
  }
}

async function mustBeWritable(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true })
    await access(directory, constants.W_OK)
  } catch (reason) {
    throw new Fault('BAD_SETTINGS', `data_directory: ${Fault.from(reason).message}`, { cause: reason })
  }
}

function* chunksOf(state: PipelineState, about: object): Generator<StateChunk> {
  yield jsonChunk('about', { schema: SCHEMA, ...about })
  for (const [stage, dump] of Object.entries(state.learned())) {
    if (typeof dump !== 'object' || dump === null) continue
    for (const [key, value] of Object.entries(dump as Record<string, unknown>)) {
      const name = `learned/${stage}/${key}`
      if (!Array.isArray(value)) yield jsonChunk(name, value)
      else {
        const rows = Math.max(1, value.length)
        for (let at = 0; at < rows; at += ROWS_A_CHUNK) yield jsonChunk(name, value.slice(at, at + ROWS_A_CHUNK))
      }
    }
  }
  for (const bytes of state.history()) yield { name: 'history', bytes }
}

const jsonChunk = (name: string, value: unknown): StateChunk => ({ name, bytes: Buffer.from(JSON.stringify(value)) })

const readJson = ({ bytes }: StateChunk): unknown => JSON.parse(Buffer.from(bytes).toString()) as unknown

/** Who saved it and when. Throws BAD_FILE when another version wrote it in another way. */
function readAbout(chunks: readonly StateChunk[]): Readonly<Record<string, unknown>> {
  const [first] = chunks
  const about = first?.name === 'about' ? (readJson(first) as Record<string, unknown>) : {}
  if (about['schema'] !== SCHEMA) {
    throw new Fault('BAD_FILE', `schema ${JSON.stringify(about['schema'])}; this version reads ${SCHEMA}`)
  }
  return about
}

function pipelineOf(chunks: readonly StateChunk[]): SavedPipeline {
  const learned: Record<string, Record<string, unknown>> = {}
  for (const chunk of chunks) {
    const [part, stage = '', key = ''] = chunk.name.split('/')
    if (part !== 'learned') continue
    const of = (learned[stage] ??= {})
    const value = readJson(chunk)
    const before = of[key]
    of[key] = Array.isArray(before) && Array.isArray(value) ? before.concat(value) : value
  }
  return { learned, history: chunks.filter(({ name }) => name === 'history').map(({ bytes }) => bytes) }
}
