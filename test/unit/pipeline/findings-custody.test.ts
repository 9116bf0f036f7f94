import { expect, test } from '@jest/globals'
import { type Counted } from '../../../src/pipeline/shard.ts'
import { createFindingsCounter } from '../../../src/pipeline/findings-counter.ts'
import { createFindingsWriter } from '../../../src/pipeline/findings.ts'

const place = (order: number) => ({ part: 0, round: 1, rank: 0, order })
const traceOf = (word: number, sequence: number): Counted => ({
  traceId: Uint32Array.of(0, 1, 2 ** 32 - 1, word),
  custody: { first: sequence, last: 2 ** 40 + sequence, parts: 3 }
})

/** What is told of traces that are not counted, after two shards wrote it down. */
function told(logged: boolean): object[] {
  const said: object[] = []
  const counter = createFindingsCounter(
    {
      found: () => undefined,
      *foundGiant() {
        yield
        throw new Error('no giants')
      },
      late: () => undefined,
      uncounted({ traceId, custody }) {
        said.push({ traceId: [...traceId], ...custody })
      }
    },
    () => 0,
    logged
  )
  const [one, other] = [createFindingsWriter(logged), createFindingsWriter(logged)]
  one.addUncounted(traceOf(1, 10), place(1))
  one.addUncounted(traceOf(3, 30), place(3))
  other.addUncounted(traceOf(2, 20), place(2))
  counter.count([one.take(), other.take()])
  expect(counter.oldest()).toBe(Infinity)
  return said
}

test('where a trace stands in the log comes back as it went, in the order of all shards', () => {
  const saidOf = ({ traceId, custody }: Counted) => ({ traceId: [...traceId], ...custody })
  expect(told(true)).toEqual([traceOf(1, 10), traceOf(2, 20), traceOf(3, 30)].map(saidOf))
})

test('without a log nobody is told', () => {
  expect(told(false)).toEqual([])
})
