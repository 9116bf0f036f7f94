/** A counter, or a family of them with one label whose values are a closed list. */
export interface CounterSpec {
  readonly help: string
  readonly label?: string
  readonly values?: readonly string[]
}
export type CounterTable = Readonly<Record<string, CounterSpec>>

export interface CounterSample {
  readonly name: string
  readonly help: string
  readonly label: string | undefined
  readonly labelValue: string | undefined
  readonly value: number
}

export interface Counters<T extends CounterTable = CounterTable> {
  /** Adds to a counter; `value` is the index of its label value. Names that the table lacks do not compile. */
  readonly add: (name: keyof T & string, by?: number, value?: number) => void
  readonly get: (name: keyof T & string, value?: number) => number
  /** Every sample, zeros included, so that a series never appears from nowhere. */
  readonly samples: () => CounterSample[]
  /** What they stand at now, in the order of the samples. */
  readonly values: Float64Array
}

/** Counters of one stage, declared in the table beside it. */
export function createCounters<T extends CounterTable>(table: T): Counters<T> {
  const cellsOf = ({ values }: CounterSpec): number => values?.length ?? 1
  const values = new Float64Array(Object.values(table).reduce((sum, spec) => sum + cellsOf(spec), 0))
  const cells = new Map<string, Float64Array>()
  let top = 0
  for (const [name, spec] of Object.entries(table)) cells.set(name, values.subarray(top, (top += cellsOf(spec))))
  const cell = (name: string): Float64Array => {
    const found = cells.get(name)
    if (found === undefined) throw new Error(`no counter ${name}`)
    return found
  }
  return {
    values,
    add(name, by = 1, value = 0) {
      const of = cell(name)
      if (value >= of.length) throw new Error(`counter ${name} has no label value ${value}`)
      of[value] = (of[value] ?? 0) + by
    },
    get: (name, value = 0) => cell(name)[value] ?? 0,
    samples() {
      return Object.entries(table).flatMap(([name, spec]) =>
        [...cell(name)].map((value, index) => ({
          name,
          help: spec.help,
          label: spec.label,
          labelValue: spec.values?.[index],
          value
        }))
      )
    }
  }
}
