const unitsMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const
type Unit = keyof typeof unitsMs
/** A stretch of time as rules are thought of: `5m`, `1h`, `1d`. */
export type Span = `${number}${'m' | 'h' | 'd'}`

/** Stretches of time as they are written in rules: as thought of, or all shorter by one factor, to see an alert within a minute. */
export interface Windows {
  /** For PromQL: `1h`, `2500ms`. */
  readonly length: (span: Span) => string
  /** For people, after "the last": `hour`, `6 hours`. */
  readonly words: (span: Span) => string
  /** `one day ago`, `6 hours ago`. */
  readonly ago: (span: Span) => string
  readonly seconds: (span: Span) => number
}

const words: Readonly<Record<Unit, string>> = { d: 'day', h: 'hour', m: 'minute', s: 'second', ms: 'millisecond' }

/** `rate` needs two scrapes in its window, and one may fail or come late. */
const SCRAPES_MIN = 4

/** No window is shorter than a few scrapes: in a shorter one there is nothing to see. */
export function createWindows(scale: number, scrapeIntervalMs = 0): Windows {
  const ms = (span: Span): number => {
    const [, count = '', unit = 'm'] = /^(\d+)(\w)$/.exec(span) ?? []
    const wantedMs = Math.max(Number(count) * unitsMs[unit as Unit], SCRAPES_MIN * scrapeIntervalMs)
    return Math.max(1, Math.round(wantedMs * scale))
  }
  /** In the largest unit that says it in a whole number. */
  const inWholes = (span: Span): [count: number, unit: Unit] => {
    const total = ms(span)
    const unit = (Object.keys(unitsMs) as Unit[]).find((name) => total % unitsMs[name] === 0) ?? 'ms'
    return [total / unitsMs[unit], unit]
  }
  const said = (span: Span, one: string): string => {
    const [count, unit] = inWholes(span)
    return count === 1 ? `${one}${words[unit]}` : `${count} ${words[unit]}s`
  }
  return {
    length: (span) => inWholes(span).join(''),
    words: (span) => said(span, ''),
    ago: (span) => `${said(span, 'one ')} ago`,
    seconds: (span) => ms(span) / 1e3
  }
}
