import { type PhaseName, phases } from '../../../src/model/phases.ts'
import { type Figures, figuresOf, sumOf, type Tally } from './figures.ts'
import { type Level } from '../shop.ts'
import { levels } from './recording.ts'

/** A recording with its score. */
export interface Scored {
  readonly cause: string
  readonly level: Level
  readonly seed: number
  readonly tally: Tally
}

/** What issue 2 asks for: at least, or at most. */
const targets: Readonly<Record<Level, Partial<Record<keyof Figures, number>>>> = {
  default: { localCause: 0.7, traceCause: 0.72, phaseErrorTail: 0.14, attributedOfCaused: 0.75, falseCertainty: 0.01 },
  waits: { localCause: 0.78, traceCause: 0.78, phaseErrorTail: 0.11, attributedOfCaused: 0.85, falseCertainty: 0.01 },
  companion: {
    localCause: 0.97,
    traceCause: 0.97,
    phaseErrorTail: 0.03,
    attributedOfCaused: 0.97,
    falseCertainty: 0.01
  }
}

interface Column {
  readonly title: string
  readonly key: keyof Figures
  readonly count?: keyof Figures
}

const columns: readonly Column[] = [
  { title: 'right local cause', key: 'localCause', count: 'localCauses' },
  { title: 'right service + phase', key: 'traceCause', count: 'slowTraces' },
  { title: 'phase error, tail', key: 'phaseErrorTail' },
  { title: 'phase error, all', key: 'phaseError' },
  { title: 'attributed', key: 'attributed' },
  { title: 'of at most', key: 'attributable' },
  { title: 'attributed of what has a cause', key: 'attributedOfCaused' },
  { title: 'false certainty', key: 'falseCertainty' },
  { title: 'of all tail time', key: 'falseOfTail' }
]

const percent = (share: number, digits = 0): string =>
  Number.isNaN(share) ? '–' : `${(100 * share).toFixed(digits)} %`
const precise = new Set<keyof Figures>(['phaseError', 'phaseErrorTail', 'falseCertainty', 'falseOfTail'])
const cell = (figures: Figures, { key, count }: Column): string => {
  const of = count === undefined ? '' : ` of ${figures[count]}`
  return percent(figures[key], precise.has(key) ? 1 : 0) + of
}
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
const head = (titles: readonly string[]): string[] => [row(titles), row(titles.map(() => '---'))]

/** One row a cause: recordings of one cause and level that differ in their seed are put together. */
export function byCause(scored: readonly Scored[]): Map<string, Tally> {
  const causes = Map.groupBy(scored, ({ cause }) => cause)
  return new Map([...causes].map(([cause, all]) => [cause, sumOf(all.map(({ tally }) => tally))]))
}

/** Each cause weighs the same; where a cause has no such requests it is left out of that figure's mean. */
export function meanOverCauses(causes: ReadonlyMap<string, Tally>): Figures {
  const all = [...causes].filter(([cause]) => cause !== 'none').map(([, tally]) => figuresOf(tally))
  const mean = { ...figuresOf(sumOf([])) } as Record<keyof Figures, number>
  for (const key of Object.keys(mean) as (keyof Figures)[]) {
    const values = all.map((figures) => figures[key]).filter((value) => !Number.isNaN(value))
    const sum = values.reduce((total, value) => total + value, 0)
    const isCount = key === 'localCauses' || key === 'slowTraces' || key === 'tailRequests'
    mean[key] = isCount ? sum : values.length === 0 ? NaN : sum / values.length
  }
  return mean
}

/** The tables: the levels beside what is asked of them, then every cause, then what was taken for what. */
export function tables(scored: readonly Scored[]): string {
  const present = levels.filter((level) => scored.some((one) => one.level === level))
  const means = present.map((level) => {
    const causes = byCause(scored.filter((one) => one.level === level))
    return { level, causes, mean: meanOverCauses(causes) }
  })
  return [
    '## By level: tail requests, mean over causes\n',
    ...head(['level', ...columns.map(({ title }) => title), 'tail requests']),
    ...means.flatMap(({ level, mean }) => [
      row([level, ...columns.map((column) => cell(mean, column)), String(mean.tailRequests)]),
      row([`_asked of ${level}_`, ...columns.map(({ key }) => asked(level, key)), ''])
    ]),
    ...means.flatMap(({ level, causes }) => causeTable(level, causes)),
    ...means.flatMap(({ level, causes }) => mistakes(level, sumOf([...causes.values()]))),
    ...means.flatMap(({ level, causes }) => culpritTable(level, causes))
  ].join('\n')
}

function asked(level: Level, key: keyof Figures): string {
  const target = targets[level][key]
  if (target === undefined) return ''
  return `${precise.has(key) ? '≤' : '≥'} ${percent(target)}`
}

function causeTable(level: Level, causes: ReadonlyMap<string, Tally>): string[] {
  return [
    `\n## ${level}, by cause\n`,
    ...head(['cause', ...columns.map(({ title }) => title), 'requests', 'tail', 'left out']),
    ...[...causes].map(([cause, tally]) => {
      const figures = figuresOf(tally)
      const counts = [tally.requests, tally.tailRequests, tally.leftOut].map(String)
      return row([cause, ...columns.map((column) => cell(figures, column)), ...counts])
    })
  ]
}

/** Rows are true phases, columns what analyze said. */
function mistakes(level: Level, { causes, differences, tailRequests }: Tally): string[] {
  const count = (cause: PhaseName, told: PhaseName): number => causes.get(`${cause}>${told}`) ?? 0
  const told = phases.filter((phase) => phase !== 'network')
  const rows = told.filter((cause) => cause !== 'downstream' && told.some((phase) => count(cause, phase) > 0))
  return [
    `\n## ${level}: what the local cause was taken for\n`,
    ...head(['true cause \\ told', ...told, 'right']),
    ...rows.map((cause) => {
      const counts = told.map((phase) => count(cause, phase))
      const all = counts.reduce((sum, one) => sum + one, 0)
      return row([cause, ...counts.map(String), percent(count(cause, cause) / all)])
    }),
    `\nDifference per phase, told against true, as a share of the duration, mean over tail requests: ${told
      .map((phase) => `${phase} ${percent(differences[phase] / tailRequests, 1)}`)
      .join(', ')}.`
  ]
}

/** For each cause, whose fault its slowest traces truly were, and whose analyze says. */
function culpritTable(level: Level, causes: ReadonlyMap<string, Tally>): string[] {
  return [
    `\n## ${level}: culprits of the slowest traces\n`,
    ...head(['cause', 'truly', 'told']),
    ...[...causes].map(([cause, { culprits }]) => {
      const pairs = [...culprits].map(([pair, times]) => ({ pair: pair.split('>'), times }))
      const side = (index: number): string => {
        const groups = Map.groupBy(pairs, ({ pair }) => pair[index] ?? '')
        const counts = [...groups].map(
          ([culprit, of]) => [culprit, of.reduce((sum, { times }) => sum + times, 0)] as const
        )
        const sorted = counts.sort(([, a], [, b]) => b - a)
        return sorted.map(([culprit, times]) => `${times} ${culprit}`).join(', ')
      }
      return row([cause, side(0), side(1)])
    })
  ]
}

/** What rules are worth: points lost without them. */
export function worth(all: readonly Scored[], without: readonly Scored[]): string {
  const rows = levels.flatMap((level) => {
    const [before, after] = [all, without].map((scored) =>
      meanOverCauses(byCause(scored.filter((one) => one.level === level)))
    )
    if (before === undefined || after === undefined || before.tailRequests === 0) return []
    const points = ({ key }: Column): string => {
      const change = 100 * (after[key] - before[key])
      return Number.isNaN(change) ? '–' : `${change > 0 ? '+' : ''}${change.toFixed(1)}`
    }
    return [row([level, ...columns.map(points)])]
  })
  return ['## Change without, in points\n', ...head(['level', ...columns.map(({ title }) => title)]), ...rows].join(
    '\n'
  )
}
