import { Readable } from 'node:stream'

/** Calls back when other work had its turn. */
export type Turn = (next: () => void) => void

export const eventLoopTurn: Turn = (next) => {
  setImmediate(next)
}

/** A stream of slices, each made in a turn of its own, and only when the reader has room for it. */
export function sliceStream(slices: Iterator<readonly Uint8Array[], unknown, undefined>, turn: Turn): Readable {
  let ready: Uint8Array[] = []
  const stream = new Readable({
    read() {
      const bytes = ready.shift()
      if (bytes === undefined) turn(advance)
      else stream.push(bytes)
    }
  })

  function advance(): void {
    if (stream.destroyed) return
    try {
      const { done, value } = slices.next()
      if (done === true) {
        stream.push(null)
        return
      }
      ready = [...value]
    } catch (reason) {
      stream.destroy(reason instanceof Error ? reason : new Error(String(reason)))
      return
    }
    const bytes = ready.shift()
    if (bytes === undefined) turn(advance)
    else stream.push(bytes)
  }
  return stream
}
