import { expect, test } from '@jest/globals'
import { createCover } from '../../../src/decompose/cut/cover.ts'
import { createSteps } from '../../../src/decompose/cut/steps.ts'
import { wholeNumbers } from '../../builders/whole-numbers.ts'

interface Interval {
  readonly rank: number
  readonly fromNs: number
  readonly toNs: number
}
type Piece = readonly [fromNs: number, toNs: number, cover: number]

/** Who covers each nanosecond of a section: the lowest rank, then the first added. Pieces of one owner in a row are one. */
function naivePieces(covers: readonly Interval[], fromNs: number, toNs: number): Piece[] {
  const pieces: Piece[] = []
  for (let ns = fromNs; ns < toNs; ns++) {
    let best = -1
    for (const [row, { rank, fromNs: from, toNs: to }] of covers.entries()) {
      if (from <= ns && ns < to && (best < 0 || rank < (covers[best] as Interval).rank)) best = row
    }
    const last = pieces.at(-1)
    if (last?.[2] === best) pieces[pieces.length - 1] = [last[0], ns + 1, best]
    else pieces.push([ns, ns + 1, best])
  }
  return pieces
}

test.each([
  [3, 5],
  [40, 1],
  [400, 7],
  [12_000, 1000],
  [12_000, 20_000]
])('%i covers in steps of %i: as nanosecond by nanosecond', (count, slice) => {
  const below = wholeNumbers(count + slice)
  const cover = createCover()
  const steps = createSteps()
  // The second time everything is used again.
  for (let round = 0; round < 2; round++) {
    const covers = Array.from({ length: count }, (): Interval => {
      const fromNs = below(300)
      return { rank: below(4), fromNs, toNs: fromNs + below(count > 1000 ? 4 : 60) }
    })
    const sections = [
      [200, 290],
      [10, 150]
    ] as const
    cover.begin()
    for (const [from, to] of sections) cover.section(from, to, -1, -1)
    for (const [row, { rank, fromNs, toNs }] of covers.entries()) cover.add(row, rank, fromNs, toNs)
    const expected = sections.flatMap(([from, to]) => naivePieces(covers, from, to))
    const whole: Piece[] = []
    cover.emit((fromNs, toNs, row) => whole.push([fromNs, toNs, row]))
    expect(whole).toEqual(expected)
    const sliced: Piece[] = []
    steps.add(...cover.steps((fromNs, toNs, row) => sliced.push([fromNs, toNs, row])))
    while (steps.waiting()) steps.advance(slice)
    expect(sliced).toEqual(expected)
  }
})
