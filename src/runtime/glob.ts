/** A test for text with `*` as any run of characters. Linear: each literal piece is looked for once, from the left. */
export function compileGlob(glob: string): (text: string) => boolean {
  const pieces = glob.split('*')
  if (pieces.length === 1) return (text) => text === glob
  const [first = '', ...rest] = pieces
  const last = rest.pop() ?? ''
  return (text) => {
    if (!text.startsWith(first) || !text.endsWith(last)) return false
    let from = first.length
    for (const piece of rest) {
      const at = text.indexOf(piece, from)
      if (at === -1) return false
      from = at + piece.length
    }
    return from <= text.length - last.length
  }
}

/** Whether every text that `narrow` matches is matched by `wide`. A `*` as a mere sign can only be matched by another. */
export function globCovers(wide: string, narrow: string): boolean {
  return compileGlob(wide)(narrow)
}

/** Whether any text is matched by both. */
export function globsMeet(a: string, b: string): boolean {
  // Cell j of row i: the rest of `a` from i on and the rest of `b` from j on have a text in common.
  let below = new Uint8Array(b.length + 2)
  for (let i = a.length; i >= 0; i--) {
    const row = new Uint8Array(b.length + 2)
    for (let j = b.length; j >= 0; j--) {
      // A star ends here, or takes one more character (or star) of the other.
      if (a[i] === '*') row[j] = (below[j] as number) | (row[j + 1] as number)
      else if (b[j] === '*') row[j] = (row[j + 1] as number) | (below[j] as number)
      else if (i === a.length && j === b.length) row[j] = 1
      else row[j] = a[i] === b[j] ? (below[j + 1] as number) : 0
    }
    below = row
  }
  return below[0] === 1
}
