import { threadMemory, residentMemory } from './process-memory.ts'

/** Bytes by part; what is left out is 0. */
export type Held<Part extends string> = Readonly<Partial<Record<Part, number>>>

/** Parts that no stage holds, known of every process. */
export type ProcessPart = 'buffers' | 'heap' | 'code' | 'runtime'

/**
 * Bytes by part and by thread, over memory that threads can share: each thread reports what it alone holds, a few times a
 * second, and whoever asks adds up. Shared arrays are reported by one thread only.
 */
export interface MemoryCells<Part extends string> {
  /** Hand it to a thread, which makes cells of its own over it. */
  readonly buffer: SharedArrayBuffer
  readonly report: (thread: number, held: Held<Part>) => void
  /** What all threads hold; parts that nobody holds are left out. */
  readonly held: () => Readonly<Record<string, number>>
  readonly total: () => number
}

export interface MemoryCellsOptions<Part extends string> {
  readonly parts: readonly Part[]
  readonly threads: number
  /** That of another thread's cells with the same parts and threads. */
  readonly buffer?: SharedArrayBuffer
}

export function createMemoryCells<Part extends string>(options: MemoryCellsOptions<Part>): MemoryCells<Part> {
  const { parts, threads } = options
  const buffer = options.buffer ?? new SharedArrayBuffer(threads * parts.length * Float64Array.BYTES_PER_ELEMENT)
  const cells = new Float64Array(buffer, 0, threads * parts.length)

  function ofPart(part: number): number {
    let sum = 0
    for (let at = part; at < cells.length; at += parts.length) sum += cells[at] as number
    return sum
  }

  return {
    buffer,
    report(thread, held) {
      for (const [i, part] of parts.entries()) cells[thread * parts.length + i] = held[part] ?? 0
    },
    held: () =>
      Object.fromEntries(parts.map((part, i): [string, number] => [part, ofPart(i)]).filter(([, bytes]) => bytes > 0)),
    total: () => cells.reduce((sum, bytes) => sum + bytes, 0)
  }
}

/** What the stages of a thread hold in its arrays, as they tell it; see Stage. */
export type StageBytes<Part extends string> = Held<Part> & { readonly untouched?: number }

/** All that a thread holds: what its stages say, and what V8 says beside it. */
export function heldByThread<Part extends string>(stages: StageBytes<Part>): Held<Part | ProcessPart> {
  const { heapBytes, arrayBytes } = threadMemory()
  const { untouched = 0, ...held } = stages
  const buffers = Math.max(0, arrayBytes - untouched - sumOf(held))
  return { ...held, heap: heapBytes, buffers } as Held<Part | ProcessPart>
}

function sumOf(held: Held<string>): number {
  return Object.values(held).reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0)
}

/**
 * What the process holds beside its threads: files in memory, and stacks and what Node and V8 keep outside the heap.
 * Nobody counts the latter, so it is what was resident at the start and in no part.
 */
export interface ProcessBase {
  /** To be called once, when everything is up, with all that is held by any part. */
  readonly settle: (heldBytes: number) => void
  readonly held: () => Held<ProcessPart>
}

export function createProcessBase(): ProcessBase {
  let runtime = 0
  return {
    settle(heldBytes) {
      runtime = Math.max(0, residentMemory().bytes - heldBytes)
    },
    held: () => ({ code: residentMemory().fileBytes, runtime })
  }
}
