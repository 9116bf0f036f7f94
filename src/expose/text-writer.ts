import { exactSeconds } from '../runtime/exact-sums.ts'
import { textLabels } from './labels.ts'
import { type SeriesFamily } from './series.ts'
import { traceIdHex } from './hex.ts'
import { type BucketExemplars, type Encoding, type ExpositionWriter } from './writer.ts'

export type TextDialect = 'text' | 'openmetrics'

export const textEncoding: Encoding<string> = {
  none: '',
  row: textLabels,
  cell: (pairs) => `,${textLabels(pairs)}`
}

/** Prometheus text 0.0.4 or OpenMetrics 1.0.0. They differ in headers, exemplars and the last line. */
export function createTextWriter(dialect: TextDialect): ExpositionWriter<string> {
  const openMetrics = dialect === 'openmetrics'
  let text = ''
  let name = ''
  let open = ''
  let bounds: readonly number[] = []
  let bucketLabels: readonly string[] = []

  function series(suffix: string, row: string, value: string | number): void {
    text += row === '' ? `${name}${suffix} ${value}\n` : `${name}${suffix}{${row}} ${value}\n`
  }

  return {
    begin(family) {
      name = family.name
      open = `${name}{`
      text += openMetrics ? openMetricsHeader(family) : textHeader(family)
    },
    number(row, cell, value) {
      if (!Number.isFinite(value)) return
      if (row === '') text += `${name} ${value}\n`
      else text += open + row + cell + '} ' + String(value) + '\n'
    },
    seconds(row, cell, sums, index) {
      text += open + row + cell + '} ' + exactSeconds(sums, index) + '\n'
    },
    histogram(row, cells) {
      if (bounds !== cells.bounds) {
        bounds = cells.bounds
        bucketLabels = [...bounds.map(boundText), '+Inf'].map((le) => `le="${le}"} `)
      }
      const head = row === '' ? `${name}_bucket{` : `${name}_bucket{${row},`
      let count = 0
      for (let bucket = 0; bucket <= bounds.length; bucket++) {
        count += cells.counts[cells.first + bucket] as number
        text += head + (bucketLabels[bucket] as string) + String(count)
        if (openMetrics && cells.exemplars !== undefined) text += exemplarText(cells.exemplars, bucket)
        text += '\n'
      }
      series('_sum', row, exactSeconds(cells.sums, cells.sum))
      series('_count', row, count)
    },
    end: () => undefined,
    finish() {
      if (openMetrics) text += '# EOF\n'
    },
    pending: () => text.length,
    take() {
      if (text === '') return []
      const taken = Buffer.from(text)
      text = ''
      return [taken]
    }
  }
}

function textHeader({ name, help, type }: SeriesFamily): string {
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return `# HELP ${name} ${escaped}\n# TYPE ${name} ${type === 'unknown' ? 'untyped' : type}\n`
}

function openMetricsHeader({ name, help, type, unit }: SeriesFamily): string {
  const family = type === 'counter' && name.endsWith('_total') ? name.slice(0, -'_total'.length) : name
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
  const unitLine = unit === '' ? '' : `# UNIT ${family} ${unit}\n`
  return `# TYPE ${family} ${type}\n${unitLine}# HELP ${family} ${escaped}\n`
}

/** With `.0`, as OpenMetrics wants it and Prometheus itself writes it, so that all formats give the same series. */
function boundText(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : String(bound)
}

function exemplarText({ index, first, traceId, valueNs, atMs }: BucketExemplars, bucket: number): string {
  const at = index[first + bucket] as number
  if (at < 0) return ''
  return ` # {trace_id="${traceIdHex(traceId, at)}"} ${(valueNs[at] as number) / 1e9} ${(atMs[at] as number) / 1e3}`
}
