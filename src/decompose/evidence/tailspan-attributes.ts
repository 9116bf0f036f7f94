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
/** How late a wake-up may have been; inference weighs it against what is usual. */
const bounds = ['tailspan.unwatched_ns', 'tailspan.unwatched_before_ns'] as const

/**
 * `tailspan.*_ns`: the service measured exactly this much of the span's self time (companion libraries, or anyone). Only
 * `scheduling` may have been more, because a late wake-up that nobody noticed is in no figure: unless `tailspan.blocked_ns` says
 * what the rest was. Then all of the self time is accounted for, and what is not said was not there.
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
    for (const [want, [, phase]] of amounts.entries()) {
      const ns = view.number(want)
      if (Number.isNaN(ns)) {
        if (allSaid) claims.exactly(phase, Grade.measured, 0)
      } else if (phase === Phase.scheduling && !allSaid) claims.amount(phase, Grade.measured, Math.round(ns))
      else claims.exactly(phase, Grade.measured, Math.round(ns))
    }
  }
}
