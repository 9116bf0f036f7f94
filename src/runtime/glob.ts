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
