export interface ParsedSeries {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: string
  /** What follows the value: an exemplar. */
  readonly rest: string
}

/** Reads both text formats, label values with their escapes. Anything it does not know is an error. */
export function parseExposition(text: string): ParsedSeries[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(parseLine)
}

function parseLine(line: string): ParsedSeries {
  const [name = ''] = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line) ?? []
  if (name === '') throw new Error(`no name: ${line}`)
  const labels: Record<string, string> = {}
  let at = name.length
  if (line[at] === '{') {
    at += 1
    while (line[at] !== '}') {
      const equals = line.indexOf('="', at)
      const [value, end] = parseValue(line, equals + 2)
      labels[line.slice(at, equals)] = value
      at = line[end] === ',' ? end + 1 : end
    }
    at += 1
  }
  const [, value = '', rest = ''] = /^ (\S+)(.*)$/.exec(line.slice(at)) ?? []
  if (value === '') throw new Error(`no value: ${line}`)
  return { name, labels, value, rest }
}

function parseValue(line: string, start: number): [value: string, end: number] {
  let value = ''
  for (let at = start; at < line.length; at++) {
    if (line[at] === '"') return [value, at + 1]
    if (line[at] !== '\\') {
      value += line[at] as string
      continue
    }
    at += 1
    const escaped = { n: '\n', '"': '"', '\\': '\\' }[line[at] ?? '']
    if (escaped === undefined) throw new Error(`unknown escape: ${line}`)
    value += escaped
  }
  throw new Error(`a label value has no end: ${line}`)
}

/** Series by name and sorted labels, to compare two expositions. */
export function asMap(series: readonly ParsedSeries[]): Map<string, string> {
  return new Map(
    series.map(({ name, labels, value }) => [`${name} ${JSON.stringify(Object.entries(labels).sort())}`, value])
  )
}

/** The value of the one series of this name whose labels are at least these. */
export function valueOf(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
  const found = parseExposition(text).filter(
    (series) => series.name === name && Object.entries(labels).every(([label, value]) => series.labels[label] === value)
  )
  if (found.length > 1) throw new Error(`${found.length} series fit ${name} ${JSON.stringify(labels)}`)
  return found[0] === undefined ? undefined : Number(found[0].value)
}
