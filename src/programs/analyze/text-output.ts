import { writeSync } from 'node:fs'

/** Text on its way to a file descriptor. */
export interface TextOutput {
  readonly write: (text: string) => void
  readonly flush: () => void
}

const BUFFERED_CHARACTERS = 1 << 16
const RETRY_MS = 5

/** Writes at the reader's pace: a full pipe makes the program wait, so nothing piles up in memory. */
export function createFileOutput(fd: number): TextOutput {
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  let pending = ''

  function flush(): void {
    let bytes = Buffer.from(pending)
    pending = ''
    while (bytes.length > 0) {
      try {
        bytes = bytes.subarray(writeSync(fd, bytes))
      } catch (reason) {
        if ((reason as NodeJS.ErrnoException).code !== 'EAGAIN') throw reason
        Atomics.wait(sleeper, 0, 0, RETRY_MS)
      }
    }
  }

  return {
    write(text) {
      pending += text
      if (pending.length >= BUFFERED_CHARACTERS) flush()
    },
    flush
  }
}
