export const formats = ['text', 'openmetrics', 'protobuf'] as const
export type Format = (typeof formats)[number]

export const contentTypes: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  protobuf: 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'
}

/** One element of Accept or Accept-Encoding. */
interface Range {
  readonly name: string
  readonly q: number
  readonly parameters: ReadonlyMap<string, string>
}

/** The format with the highest q that we have; of equals the first named. Text 0.0.4 when nothing fits, as scrapers expect. */
export function chooseFormat(accept: string | undefined): Format {
  let best: Format = 'text'
  let bestQ = 0
  for (const range of ranges(accept ?? '')) {
    const format = formatOf(range)
    if (format === undefined || range.q <= bestQ) continue
    best = format
    bestQ = range.q
  }
  return best
}

function formatOf({ name, parameters }: Range): Format | undefined {
  const version = parameters.get('version')
  switch (name) {
    case 'application/vnd.google.protobuf':
      return parameters.get('proto') === 'io.prometheus.client.MetricFamily' &&
        parameters.get('encoding') === 'delimited'
        ? 'protobuf'
        : undefined
    case 'application/openmetrics-text':
      return version === undefined || version === '1.0.0' ? 'openmetrics' : undefined
    case 'text/plain':
      return version === undefined || version === '0.0.4' ? 'text' : undefined
    case 'text/*':
    case '*/*':
      return 'text'
    default:
      return undefined
  }
}

export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  const all = ranges(acceptEncoding ?? '')
  const named = all.find(({ name }) => name === 'gzip' || name === 'x-gzip') ?? all.find(({ name }) => name === '*')
  return named !== undefined && named.q > 0
}

function ranges(header: string): Range[] {
  return header.split(',').flatMap((part) => {
    const [name = '', ...rest] = part.split(';')
    const parameters = new Map<string, string>()
    for (const parameter of rest) {
      const [key = '', value = ''] = parameter.split('=', 2)
      parameters.set(key.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1'))
    }
    const q = Number(parameters.get('q') ?? 1)
    return q >= 0 && q <= 1 ? [{ name: name.trim().toLowerCase(), q, parameters }] : []
  })
}
