import { Grade, Phase } from '../../model/phases.ts'
import type { EvidenceSource } from './source.ts'

const amounts = [
  ['tailspan.queue_wait_ns', Phase.queueWait],
  ['tailspan.scheduling_ns', Phase.scheduling],
  ['tailspan.gc_ns', Phase.gc],
  ['tailspan.allocator_ns', Phase.allocator],
  ['tailspan.processing_ns', Phase.processing]
] as const

/** `tailspan.*_ns`: the service measured exactly this much of the span's self time (companion libraries, or anyone). */
export const tailspanAttributes: EvidenceSource = {
  name: 'tailspan_attributes',
  wants: amounts.map(([key]) => ({ from: 'attribute', key, type: 'number' })),
  claim(view, claims) {
    for (const [want, [, phase]] of amounts.entries()) {
      const ns = view.number(want)
      if (!Number.isNaN(ns)) claims.amount(phase, Grade.measured, Math.round(ns))
    }
  }
}
