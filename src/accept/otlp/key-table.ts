const SLOTS = 1024
export const UNKNOWN_KEY = -1

/** A closed list of keys that are found by their bytes, without making a string of what is looked up. */
export class KeyTable {
  readonly keys: readonly string[]
  // The keys' bytes end to end: an array of arrays would cost a lookup more for each key.
  readonly #bytes: DataView
  readonly #starts: Uint32Array
  readonly #heads = new Int16Array(SLOTS).fill(UNKNOWN_KEY)
  readonly #next: Int16Array
  readonly #byText: ReadonlyMap<string, number>

  constructor(keys: Iterable<string>) {
    this.keys = [...new Set(keys)]
    const encoder = new TextEncoder()
    const bytes = Buffer.concat(this.keys.map((key) => encoder.encode(key)))
    this.#bytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#starts = new Uint32Array(this.keys.length + 1)
    this.#next = new Int16Array(this.keys.length).fill(UNKNOWN_KEY)
    this.#byText = new Map(this.keys.map((key, index) => [key, index]))
    this.keys.forEach((key, index) => {
      const start = this.#starts[index] as number
      const end = start + Buffer.byteLength(key)
      this.#starts[index + 1] = end
      if (end === start) return
      const slot = slotOf(this.#bytes, start, end)
      this.#next[index] = this.#heads[slot] as number
      this.#heads[slot] = index
    })
  }

  /** Index of the key that the bytes from `start` to `end` spell, or UNKNOWN_KEY. */
  find(view: DataView, start: number, end: number): number {
    if (start === end) return UNKNOWN_KEY
    const index = this.#heads[slotOf(view, start, end)] as number
    return index === UNKNOWN_KEY ? UNKNOWN_KEY : this.#seek(index, view, start, end)
  }

  #seek(first: number, view: DataView, start: number, end: number): number {
    const length = end - start
    const keys = this.#bytes
    for (let index = first; index !== UNKNOWN_KEY; index = this.#next[index] as number) {
      const from = this.#starts[index] as number
      if ((this.#starts[index + 1] as number) - from !== length) continue
      // Four bytes at a time: comparing byte by byte took a tenth of all decoding.
      let i = 0
      while (i + 4 <= length && keys.getInt32(from + i) === view.getInt32(start + i)) i += 4
      while (i < length && keys.getUint8(from + i) === view.getUint8(start + i)) i++
      if (i === length) return index
    }
    return UNKNOWN_KEY
  }

  findText(text: string): number {
    return this.#byText.get(text) ?? UNKNOWN_KEY
  }
}

// Attribute keys share long prefixes and suffixes, so the length and bytes from the end and the middle tell them apart.
function slotOf(view: DataView, start: number, end: number): number {
  const length = end - start
  const last = view.getUint8(end - 1)
  const middle = view.getUint8(start + (length >>> 1))
  const quarter = view.getUint8(start + (length >>> 2))
  return (length * 67 + last * 31 + middle * 131 + quarter * 7) & (SLOTS - 1)
}
