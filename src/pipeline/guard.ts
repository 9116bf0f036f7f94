import { type Counters, createCounters } from '../runtime/counters.ts'

const stages = ['decode', 'decompose', 'explain'] as const
type StageName = (typeof stages)[number]

const table = {
  tail_stage_errors_total: { help: 'Traces dropped because a stage failed on them.', label: 'stage', values: stages }
}

/** Lets a stage that fails cost its trace, never the process. */
export interface Guard {
  /** Undefined when the work threw; that is counted and logged. */
  readonly run: <T>(stage: StageName, work: () => T) => T | undefined
  readonly counters: Counters<typeof table>
}

export function createGuard(log: { readonly error: (fields: object, message: string) => void }): Guard {
  const counters = createCounters(table)
  return {
    counters,
    run(stage, work) {
      try {
        return work()
      } catch (reason) {
        counters.add('tail_stage_errors_total', 1, stages.indexOf(stage))
        log.error({ err: reason, stage }, 'a stage failed; its trace is dropped')
        return undefined
      }
    }
  }
}
