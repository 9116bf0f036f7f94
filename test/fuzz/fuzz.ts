import { watchCoverage } from './coverage.ts'
import { type Draw, mutant } from './mutate.ts'
import { type Target } from './target.ts'

/** Mutants between two looks at what was covered. */
const BROOD = 48
const POPULATION_MAX = 2_000
/** A parser that takes longer than this over 64 KiB can be held up by a stranger. */
const INPUT_MS_MAX = 2_000

export interface Budget {
  readonly msMax: number
  readonly inputsMax: number
}

export interface Findings {
  readonly inputs: number
  readonly taken: number
  readonly blocks: number
  readonly failure: { readonly input: Uint8Array; readonly reason: unknown } | undefined
}

/**
 * Feeds a target with mutants of what it takes until the budget is spent or something does not hold. A brood that reaches a
 * block of code for the first time, or far more often than before, has children of its own.
 */
export async function fuzz(target: Target, kept: readonly Uint8Array[], draw: Draw, budget: Budget): Promise<Findings> {
  const wellFormed = target.seeds()
  const population = [...wellFormed, ...kept]
  const coverage = watchCoverage(target.covers)
  const endMs = performance.now() + budget.msMax
  let inputs = 0
  let taken = 0
  const failures: NonNullable<Findings['failure']>[] = []

  async function feed(input: Uint8Array): Promise<void> {
    inputs += 1
    const startMs = performance.now()
    try {
      if ((await target.run(input)) === 'taken') taken += 1
      const ms = performance.now() - startMs
      if (ms > INPUT_MS_MAX) throw new Error(`${input.length} bytes took ${Math.round(ms)} ms`)
    } catch (reason) {
      failures.push({ input, reason })
    }
  }

  function child(): Uint8Array {
    // Half are near to what is taken; the others go on from what reached new code, which is mostly refused.
    const parents = draw(2) === 0 ? wellFormed : population
    const one = parents[draw(parents.length)] as Uint8Array
    const bytes = mutant(one, population[draw(population.length)] as Uint8Array, target.shape, draw)
    return target.mend !== undefined && draw(4) > 0 ? target.mend(bytes) : bytes
  }

  /** Which of a brood reached the new block is not known: all of it may have children. */
  function adopt(brood: readonly Uint8Array[]): void {
    for (const input of brood) {
      if (population.length < POPULATION_MAX) population.push(input)
      else population[draw(POPULATION_MAX)] = input
    }
  }

  for (const input of [...population]) await feed(input)
  coverage.newBlocks()
  while (failures.length === 0 && inputs < budget.inputsMax && performance.now() < endMs) {
    const brood = Array.from({ length: BROOD }, child)
    for (const input of brood) await feed(input)
    if (coverage.newBlocks() > 0) adopt(brood)
  }
  coverage.stop()
  return { inputs, taken, blocks: coverage.blocks(), failure: failures[0] }
}
