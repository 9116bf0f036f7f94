import { expect } from '@jest/globals'
import { type Pipeline } from '../../src/pipeline.ts'
import { readText } from './text-slices.ts'

/** All that a pipeline has to say, but for what shards say of themselves. */
export interface Said {
  readonly counters: Readonly<Record<string, number>>
  readonly operations: ReturnType<Pipeline['sources']['operations']>
  readonly [what: string]: unknown
}

export function said({ sources, names }: Pipeline): Said {
  const counted = new Map<string, number>()
  for (const { name, labelValue, value } of sources.counters.flatMap((of) => of.samples())) {
    if (name.startsWith('tail_shard_')) continue
    const key = `${name} ${labelValue ?? ''}`
    counted.set(key, (counted.get(key) ?? 0) + value)
  }
  const { operations } = sources.tables
  const kept = Array.from({ length: operations.rows }, (_, row) => {
    const [service, operation] = [operations.service[row] as number, operations.operation[row] as number]
    const text = `${names.strings.text(service)} ${names.strings.text(operation)}`
    return [text, sources.tables.retainedOf(service, operation)] as const
  })
  const ids = [...new Set(kept.flatMap(([, traces]) => traces.map(({ traceId }) => traceId)))].sort()
  expect(ids.length).toBeGreaterThan(5)
  return {
    counters: Object.fromEntries(counted),
    operations: sources.operations(),
    blame: sources.blame(),
    budgets: sources.budgets(),
    boundaries: sources.boundaries(),
    history: sources.history('gateway', 'GET /buy', { fromMs: 0, toMs: 4_000_000_000_000, pointsMax: 400 }),
    kept: Object.fromEntries(kept),
    traces: ids.map((id) => readText(sources.trace(id)))
  }
}
