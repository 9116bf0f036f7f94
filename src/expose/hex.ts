/** Four big-endian words a row. */
export function traceIdHex(words: Uint32Array, row: number): string {
  return hexOf(words, row * 4, 4)
}

/** Two big-endian words a row. */
export function spanIdHex(words: Uint32Array, row: number): string {
  return hexOf(words, row * 2, 2)
}

function hexOf(words: Uint32Array, first: number, count: number): string {
  let hex = ''
  for (let i = first; i < first + count; i++) hex += (words[i] as number).toString(16).padStart(8, '0')
  return hex
}
