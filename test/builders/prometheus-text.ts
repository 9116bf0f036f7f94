/** A strict reader of the Prometheus text format 0.0.4: whatever a scraper might stumble over is an error here. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Exposition {
  readonly samples: readonly Sample[]
  /** Sum of every sample of that name whose labels are at least these. */
  readonly sum: (name: string, labels?: Readonly<Record<string, string>>) => number
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/
const LABEL_NAME = /[a-zA-Z_][a-zA-Z0-9_]*/y
const TYPES = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped'])
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count']
}

export function parsePrometheusText(text: string): Exposition {
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  const samples: Sample[] = []
  const seen = new Set<string>()
  const families = new Map<string, string>()
  let family = ''
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue
    if (line.startsWith('#')) {
      const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? []
      if (keyword !== 'TYPE') continue
      if (!TYPES.has(rest)) throw new Error(`unknown type: ${line}`)
      if (families.has(name)) throw new Error(`a second group of ${name}`)
      families.set(name, rest)
      family = name
      continue
    }
    const sample = parseSample(line)
    if (!belongs(sample.name, family, families.get(family) ?? '')) throw new Error(`outside its group: ${line}`)
    const identity = line.slice(0, line.lastIndexOf(' '))
    if (seen.has(identity)) throw new Error(`twice: ${identity}`)
    seen.add(identity)
    samples.push(sample)
  }
  checkHistograms(samples, families)
  return { samples, sum: (name, labels = {}) => sumOf(samples, name, labels) }
}

/** What counters counted between two scrapes; everything else as it is at the later one. */
export function increase(later: Exposition, earlier: Exposition): Exposition {
  const identity = ({ name, labels }: Sample): string => JSON.stringify([name, Object.entries(labels).toSorted()])
  const before = new Map(earlier.samples.map((sample) => [identity(sample), sample.value]))
  const samples = later.samples.map((sample) =>
    sample.name.endsWith('_total') ? { ...sample, value: sample.value - (before.get(identity(sample)) ?? 0) } : sample
  )
  return { samples, sum: (name, labels = {}) => sumOf(samples, name, labels) }
}

function sumOf(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>>): number {
  const wanted = Object.entries(labels)
  let sum = 0
  for (const sample of samples) {
    if (sample.name === name && wanted.every(([key, value]) => sample.labels[key] === value)) sum += sample.value
  }
  return sum
}

function belongs(name: string, family: string, type: string): boolean {
  return (SUFFIXES[type] ?? ['']).some((suffix) => name === family + suffix)
}

function parseSample(line: string): Sample {
  const name = NAME.exec(line)?.[0]
  if (name === undefined) throw new Error(`no metric name: ${line}`)
  // Without a prototype: a label may be called `constructor`.
  const labels = Object.create(null) as Record<string, string>
  const rest = line[name.length] === '{' ? parseLabels(line, name.length + 1, labels) : name.length
  const value = /^ (\S+)$/.exec(line.slice(rest))?.[1]
  if (value === undefined) throw new Error(`no single value: ${line}`)
  return { name, labels, value: parseValue(value, line) }
}

function parseValue(text: string, line: string): number {
  if (text === 'NaN') return NaN
  if (text === '+Inf') return Infinity
  if (text === '-Inf') return -Infinity
  if (!/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) throw new Error(`not a number: ${line}`)
  return Number(text)
}

/** Reads `a="b",...}` from `at` on; returns where it ends. */
function parseLabels(line: string, from: number, labels: Record<string, string>): number {
  let at = from
  while (line[at] !== '}') {
    LABEL_NAME.lastIndex = at
    const key = LABEL_NAME.exec(line)?.[0]
    if (key === undefined) throw new Error(`no label name at ${at}: ${line}`)
    if (key in labels) throw new Error(`label ${key} twice: ${line}`)
    at += key.length
    if (line.slice(at, at + 2) !== '="') throw new Error(`label ${key} has no value: ${line}`)
    let value = ''
    for (at += 2; line[at] !== '"'; at++) {
      const character = line[at]
      if (character === undefined) throw new Error(`label ${key} does not end: ${line}`)
      if (character !== '\\') {
        value += character
        continue
      }
      at += 1
      const escaped = { '\\': '\\', '"': '"', n: '\n' }[line[at] ?? '']
      if (escaped === undefined) throw new Error(`unknown escape in ${key}: ${line}`)
      value += escaped
    }
    labels[key] = value
    at += 1
    if (line[at] === ',') at += 1
    else if (line[at] !== '}') throw new Error(`neither comma nor brace after ${key}: ${line}`)
  }
  return at + 1
}

/** Buckets are cumulative, end with +Inf, and that one is the count. */
function checkHistograms(samples: readonly Sample[], families: ReadonlyMap<string, string>): void {
  const last = new Map<string, { le: number; value: number }>()
  for (const { name, labels, value } of samples) {
    const family = name.replace(/_(bucket|count)$/, '')
    if (families.get(family) !== 'histogram') continue
    const { le, ...rest } = labels
    const key = `${family} ${JSON.stringify(rest)}`
    const before = last.get(key)
    if (name.endsWith('_bucket')) {
      const bound = le === '+Inf' ? Infinity : Number(le)
      if (before !== undefined && (bound <= before.le || value < before.value))
        throw new Error(`not cumulative: ${key}`)
      last.set(key, { le: bound, value })
    } else if (name.endsWith('_count') && (before?.le !== Infinity || before.value !== value)) {
      throw new Error(`count differs from the last bucket: ${key}`)
    }
  }
}
