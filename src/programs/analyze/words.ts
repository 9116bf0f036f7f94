/** 1.24 s, 412 ms, 85.3 µs: three digits that matter. */
export function duration(ns: number): string {
  const size = Math.abs(ns)
  if (size >= 999.5e6) return `${digits(ns / 1e9)} s`
  if (size >= 999.5e3) return `${digits(ns / 1e6)} ms`
  return size >= 1 ? `${digits(ns / 1e3)} µs` : '0'
}

function digits(value: number): string {
  const size = Math.abs(value)
  if (size >= 1000) return count(Math.round(value))
  return value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2)
}

/** 5,000 */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** 1.2 %, 0.96 %, 78 %; all of it only when it is all of it. */
export function percent(share: number): string {
  const value = share * 100
  if (value >= 99.5 && value < 100) return '>99 %'
  return `${value.toFixed(value >= 9.95 || value === 0 ? 0 : value >= 0.995 ? 1 : 2)} %`
}

/** `1 trace`, `2 traces` */
export function several(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`
}

export const COLUMNS = 100

/** A number stays with its unit. */
const BETWEEN_WORDS = / (?!(?:%|s|ms|µs)(?![\p{L}\d]))/u

/** Lines of at most COLUMNS, the later ones set back by `hang`. */
export function wrapped(text: string, indent: string, hang = indent): string[] {
  const lines: string[] = []
  let line = indent
  let empty = true
  for (const word of text.split(BETWEEN_WORDS)) {
    if (!empty && line.length + 1 + word.length > COLUMNS) {
      lines.push(line)
      line = hang
      empty = true
    }
    line += empty ? word : ` ${word}`
    empty = false
  }
  return [...lines, line]
}

/** Columns of text side by side; numbers to the right. The first column gives way when a row is too long. */
export function table(rows: readonly (readonly string[])[], align: readonly ('left' | 'right')[]): string[] {
  const widths = align.map((_, column) => Math.max(...rows.map((row) => length(row[column] ?? ''))))
  const rest = widths.slice(1).reduce((sum, width) => sum + width + 2, 0)
  widths[0] = Math.min(widths[0] ?? 0, Math.max(16, COLUMNS - rest))
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] as number
        const text =
          length(cell) > width
            ? `${Array.from(cell)
                .slice(0, width - 1)
                .join('')}…`
            : cell
        return align[column] === 'right' ? text.padStart(width) : text.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  )
}

/** In characters as people count them, nearly. */
function length(text: string): number {
  return Array.from(text).length
}

/** Names come from strangers: what could move the cursor or forge a line is shown as an escape. */
export function printable(name: string): string {
  return name.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
