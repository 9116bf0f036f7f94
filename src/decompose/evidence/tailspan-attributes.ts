import { Grade, Phase } from '../../model/phases.ts'
import type { EvidenceSource } from './source.ts'

const amounts = [
  ['tailspan.queue_wait_ns', Phase.queueWait],
  ['tailspan.scheduling_ns', Phase.scheduling],
  ['tailspan.gc_ns', Phase.gc],
  ['tailspan.allocator_ns', Phase.allocator],
  ['tailspan.processing_ns', Phase.processing]
] as const
const BLOCKED = amounts.length
const UNWATCHED = BLOCKED + 1
/** How much of a wait may have been scheduling; inference weighs it against what is usual. */
const bounds = ['tailspan.unwatched_ns', 'tailspan.unwatched_before_ns'] as const

/**
 * `tailspan.*_ns`: the service measured exactly this much of the span's self time (companion libraries, or anyone). Only
 * `scheduling` may have been more, because a late wake-up that nobody noticed is in no figure: unless `tailspan.blocked_ns` says
 * what the rest was. Then all of the self time is accounted for, and what is not said was not there; but for
 * `tailspan.unwatched_ns`, which may have been scheduling or not.
 */
export const tailspanAttributes: EvidenceSource = {
  name: 'tailspan_attributes',
  wants: [...amounts.map(([key]) => key), 'tailspan.blocked_ns', ...bounds].map((key) => ({
    from: 'attribute',
    key,
    type: 'number'
  })),
  claim(view, claims) {
    const allSaid = !Number.isNaN(view.number(BLOCKED))
    const maybeLate = !allSaid || view.number(UNWATCHED) > 0
    for (const [want, [, phase]] of amounts.entries()) {
      const ns = Math.round(view.number(want))
      const isOpen = phase === Phase.scheduling && maybeLate
      if (Number.isNaN(ns)) {
        if (allSaid && !isOpen) claims.exactly(phase, Grade.measured, 0)
      } else if (isOpen) claims.amount(phase, Grade.measured, ns)
      else claims.exactly(phase, Grade.measured, ns)
    }
  }
}
