/** Bytes of a stream by number, across the borders of its chunks. What it returns is valid until the next call. */
export interface ByteSource {
  /** Bytes taken so far. */
  readonly offset: () => number
  /** The next bytes without taking them: `count` of them, or fewer at the end. */
  readonly peek: (count: number) => Promise<Uint8Array>
  /** Takes exactly `count` bytes, or all that are left. */
  readonly take: (count: number) => Promise<Uint8Array>
  /** Takes the bytes that are at hand, at least one; none at the end. */
  readonly takeSome: () => Promise<Uint8Array>
  /** Passes over bytes without holding them. */
  readonly skip: (count: number) => Promise<void>
}

/** When the stream fails, what came before its failure can still be taken; only asking for more throws. */
export function createByteSource(chunks: AsyncIterator<Uint8Array>): ByteSource {
  let held: Uint8Array = new Uint8Array(0)
  let at = 0
  let offset = 0
  let end: 'open' | 'ended' | { readonly failure: unknown } = 'open'

  async function next(): Promise<Uint8Array | undefined> {
    try {
      const result = await chunks.next()
      if (result.done !== true) return result.value
      end = 'ended'
    } catch (failure) {
      end = { failure }
    }
    return undefined
  }

  /** Sees to it that `count` bytes are held; false when the stream has fewer. */
  async function fill(count: number): Promise<boolean> {
    if (held.length - at >= count) return true
    const parts = [held.subarray(at)]
    let size = held.length - at
    while (size < count && end === 'open') {
      const chunk = await next()
      if (chunk === undefined) break
      parts.push(chunk)
      size += chunk.length
    }
    held = parts.length === 2 && parts[0]?.length === 0 ? (parts[1] as Uint8Array) : Buffer.concat(parts, size)
    at = 0
    return size >= count
  }

  function pass(count: number): Uint8Array {
    const passed = held.subarray(at, at + count)
    at += passed.length
    offset += passed.length
    return passed
  }

  function refuse(): void {
    if (typeof end === 'object') throw end.failure
  }

  return {
    offset: () => offset,
    async peek(count) {
      if (!(await fill(count)) && held.length === 0) refuse()
      return held.subarray(at, at + count)
    },
    async take(count) {
      if (!(await fill(count))) refuse()
      return pass(count)
    },
    async takeSome() {
      if (!(await fill(1))) refuse()
      return pass(held.length - at)
    },
    async skip(count) {
      for (let left = count; left > 0;) {
        if (!(await fill(1))) {
          refuse()
          return
        }
        left -= pass(Math.min(left, held.length - at)).length
      }
    }
  }
}
