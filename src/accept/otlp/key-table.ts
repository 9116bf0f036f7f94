const SLOTS = 1024
export const UNKNOWN_KEY = -1

/** A closed list of keys that are found by their bytes, without making a string of what is looked up. */
export class KeyTable {
  readonly keys: readonly string[]
  readonly #bytes: readonly Uint8Array[]
  readonly #heads = new Int16Array(SLOTS).fill(UNKNOWN_KEY)
  readonly #next: Int16Array
  readonly #byText: ReadonlyMap<string, number>

  constructor(keys: Iterable<string>) {
    this.keys = [...new Set(keys)]
    const encoder = new TextEncoder()
    this.#bytes = this.keys.map((key) => encoder.encode(key))
    this.#next = new Int16Array(this.keys.length).fill(UNKNOWN_KEY)
    this.#byText = new Map(this.keys.map((key, index) => [key, index]))
    this.#bytes.forEach((bytes, index) => {
      const slot = slotOf(bytes, 0, bytes.length)
      this.#next[index] = this.#heads[slot] as number
      this.#heads[slot] = index
    })
  }

  /** Index of the key that bytes[start, end) spell, or UNKNOWN_KEY. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start
    if (length === 0) return UNKNOWN_KEY
    let index = this.#heads[slotOf(bytes, start, end)] as number
    while (index !== UNKNOWN_KEY) {
      const key = this.#bytes[index] as Uint8Array
      if (key.length === length) {
        let i = 0
        while (i < length && key[i] === bytes[start + i]) i++
        if (i === length) return index
      }
      index = this.#next[index] as number
    }
    return UNKNOWN_KEY
  }

  findText(text: string): number {
    return this.#byText.get(text) ?? UNKNOWN_KEY
  }
}

// Attribute keys share long prefixes and suffixes, so the length and bytes from the end and the middle tell them apart.
function slotOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  const last = bytes[end - 1] as number
  const middle = bytes[start + (length >>> 1)] as number
  const quarter = bytes[start + (length >>> 2)] as number
  return (length * 67 + last * 31 + middle * 131 + quarter * 7) & (SLOTS - 1)
}
