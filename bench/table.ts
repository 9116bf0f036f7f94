/** One measured figure beside what it is held to. */
export interface Figure {
  readonly name: string
  readonly measured: string
  /** Of architecture: `≤ 1.8`, or empty where nothing is promised. */
  readonly bound: string
  /** undefined = no bound. */
  readonly met?: boolean | undefined
}

export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
}

export function figureTable(figures: readonly Figure[]): string {
  return markdownTable(
    ['figure', 'measured', 'bound', ''],
    figures.map(({ name, measured, bound, met }) => [
      name,
      measured,
      bound,
      met === undefined ? '' : met ? 'met' : '**missed**'
    ])
  )
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

/** `2.13`, `13.1`, `213`, `213,000`: three digits that mean something. */
export function digits(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US')
  return value.toPrecision(3)
}

export const mib = (bytes: number): string => `${digits(bytes / 1024 ** 2)} MiB`
