import { readFileSync, statSync } from 'node:fs'
import { Fault } from '../../runtime/fault.ts'
import { type DestinationSettings } from '../settings.ts'

const FILE_BYTES_MAX = 64 * 1024
/** Files are looked at again this often. */
export const FILES_EVERY_MS = 5_000

/** Headers of requests to a destination; those from files are read again when the file changes. */
export type ReadHeaders = () => Readonly<Record<string, string>>

/** Throws BAD_SETTINGS when a file cannot be read at the start. Later the last good value stays. */
export function createHeaders(
  { name, headers, headersFromFiles }: Pick<DestinationSettings, 'name' | 'headers' | 'headersFromFiles'>,
  nowMs: () => number
): ReadHeaders {
  const files = Object.entries(headersFromFiles)
  const values: Record<string, string> = { ...headers }
  let lookedMs = nowMs()
  for (const [header, file] of files) {
    try {
      values[header] = headerFrom(file)
    } catch (reason) {
      throw new Fault('BAD_SETTINGS', `forward: destination ${name}: header ${header}: ${Fault.from(reason).message}`)
    }
  }

  return () => {
    const now = nowMs()
    if (files.length === 0 || Math.abs(now - lookedMs) < FILES_EVERY_MS) return values
    lookedMs = now
    for (const [header, file] of files) {
      try {
        values[header] = headerFrom(file)
      } catch {
        // Being replaced, maybe.
      }
    }
    return values
  }
}

function headerFrom(file: string): string {
  if (statSync(file).size > FILE_BYTES_MAX) throw new Error(`${file} is larger than 64KiB`)
  const text = readFileSync(file, 'utf8').trim()
  // A line break would end the header.
  if (text === '' || /[\u0000-\u0008\u000a-\u001f]/.test(text)) throw new Error(`${file} holds no header value`)
  return text
}
