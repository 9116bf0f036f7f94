import { type FileProblem } from './payload.ts'

/** What could not be read or was left out, for stderr. */
export interface Problems {
  readonly add: (file: string, problem: FileProblem) => void
  /** A trace that made a stage fail. */
  readonly failed: (reason: unknown) => void
  readonly lines: () => string[]
}

const PER_FILE_MAX = 10

export function createProblems(): Problems {
  const files = new Map<string, { readonly lines: string[]; more: number }>()
  let failures = 0
  let firstFailure: unknown

  return {
    add(file, { where, message }) {
      const entry = files.get(file) ?? { lines: [], more: 0 }
      files.set(file, entry)
      if (entry.lines.length < PER_FILE_MAX) entry.lines.push(`${file}: ${where}: ${message}`)
      else entry.more += 1
    },
    failed(reason) {
      if (failures === 0) firstFailure = reason
      failures += 1
    },
    lines() {
      const lines = [...files].flatMap(([file, entry]) =>
        entry.more === 0 ? entry.lines : [...entry.lines, `${file}: and ${entry.more} more of the kind`]
      )
      if (failures > 0) {
        const text = firstFailure instanceof Error ? (firstFailure.stack ?? firstFailure.message) : String(firstFailure)
        lines.push(`${failures} traces are left out, because Tailspan failed on them; the first time: ${text}`)
      }
      return lines
    }
  }
}
