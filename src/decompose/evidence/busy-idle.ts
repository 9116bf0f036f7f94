import { Grade, Phase } from '../../model/phases.ts'
import { Kind, SpanFlag } from '../../model/spans.ts'
import type { EvidenceSource, SpanView } from './source.ts'

const BUSY = 0
const IDLE = 1
/** busy + idle runs on a monotonic clock and ends with the last poll, the span on the wall clock: they differ by this much. */
const TOLERANCE_SHARE = 0.02
const TOLERANCE_NS = 100_000

/**
 * `busy_ns` / `idle_ns` of tracing-opentelemetry. Busy is the wall time of polls, children polled inside included; less
 * theirs it is at most what the span's own code ran for. Allocator time and preemption hide in it, so it is inferred. The
 * rest of the self time was waiting: not processing, whatever the operation's body needs.
 *
 * Releases before 0.32 miscount nested enters; then the sum does not match the span and nothing is claimed. The two come
 * last of a span's attributes and are the first to go at the SDK's limit: missing there, they are unknown and not zero.
 *
 * A call stands for its peer, in every language: what its task ran meanwhile is part of what the call costs.
 */
export const busyIdle: EvidenceSource = {
  name: 'busy_idle',
  wants: [
    { from: 'attribute', key: 'busy_ns', type: 'number' },
    { from: 'attribute', key: 'idle_ns', type: 'number' }
  ],
  claim(view, claims) {
    const kind = view.tree.trace.kind[view.span]
    if (kind === Kind.client || kind === Kind.producer) return
    const busyNs = view.number(BUSY)
    const idleNs = view.number(IDLE)
    // A span that was never entered says 0 and 0: nothing is known of it.
    if (Number.isNaN(busyNs) || Number.isNaN(idleNs) || busyNs + idleNs === 0) return
    const durationNs = view.endNs - view.startNs
    const differenceNs = Math.abs(busyNs + idleNs - durationNs)
    if (busyNs < 0 || idleNs < 0 || differenceNs > TOLERANCE_NS + TOLERANCE_SHARE * durationNs) {
      claims.conflict()
      return
    }
    const ownNs = busyNs - busyOfChildrenNs(view)
    // Children with more polls than their parent had are tasks of their own: what is left for its own code nobody knows.
    if (ownNs < 0) claims.conflict()
    else if (!Number.isNaN(ownNs)) claims.upTo(Phase.processing, Grade.inferred, Math.round(ownNs))
  }
}

/** Busy time of children polled inside this span: same process, and over before it (a spawned task may outlive it). NaN = unknown. */
function busyOfChildrenNs(view: SpanView): number {
  const { tree, span } = view
  let sumNs = 0
  const end = tree.childEnd[span] as number
  for (let at = span === 0 ? 0 : (tree.childEnd[span - 1] as number); at < end; at++) {
    const child = tree.child[at] as number
    const inside = (tree.startNs[child] as number) >= view.startNs && (tree.endNs[child] as number) <= view.endNs
    // An entry span below this one is another task, if not another process.
    if (!inside || tree.owner[child] === child) continue
    const busyNs = view.numberOf(child, BUSY)
    if (busyNs > 0) sumNs += busyNs
    else if (Number.isNaN(busyNs) && isDropped(view, child)) return NaN
  }
  return sumNs
}

const isDropped = ({ tree }: SpanView, span: number): boolean =>
  ((tree.trace.flags[span] as number) & SpanFlag.droppedAttributes) !== 0
