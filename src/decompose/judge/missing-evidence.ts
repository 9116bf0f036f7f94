import { Advice } from '../../model/advice.ts'
import { Phase } from '../../model/phases.ts'
import { Language, type Resources, SpanFlag } from '../../model/spans.ts'
import { operationOf, type Tree } from '../cut/tree.ts'
import { busyIdle } from '../evidence/busy-idle.ts'
import type { Sources } from '../evidence/index.ts'
import { tailspanAttributes } from '../evidence/tailspan-attributes.ts'
import { Field } from '../learned/runtime-metrics/fields.ts'
import type { RuntimeMetrics } from '../learned/runtime-metrics/index.ts'
import { RowFlag, type Verdict } from './judge.ts'

/** Says of a request what would have explained the time that nothing explains: asked of the tail's requests only. */
export interface MissingEvidence {
  /** Adds the request's ns by Advice to the array's first cells. Gives the operation of the longest call whose answer is missing, 0 without. */
  readonly of: (request: number, ns: Float64Array) => number
}

export interface MissingEvidenceTools {
  readonly tree: Tree
  readonly verdict: Verdict
  readonly resources: Resources
  readonly sources: Sources
  readonly runtime: Pick<RuntimeMetrics, 'newest'>
}

export function createMissingEvidence(tools: MissingEvidenceTools): MissingEvidence {
  const { tree, verdict, resources, sources, runtime } = tools
  const bitOf = (of: object): number => 1 << sources.claims.findIndex(({ source }) => source === of)
  const busyBit = bitOf(busyIdle)
  const companionBit = bitOf(tailspanAttributes)

  /** Bits of the sources that have evidence of a span. */
  function sourcesOf(span: number): number {
    const { evidence, evidenceEnd } = tree.trace
    let bits = 0
    const end = evidenceEnd[span] as number
    for (let i = span === 0 ? 0 : (evidenceEnd[span - 1] as number); i < end; i++) {
      bits |= sources.claimBits[evidence.code[i] as number] as number
    }
    return bits
  }

  const isKnown = (resource: number, field: number): boolean => !Number.isNaN(runtime.newest(resource, field))
  const waitsForPools = (resource: number): boolean => runtime.newest(resource, Field.poolWaitSeconds) > 0

  /**
   * What was lost comes first, then what costs a line of configuration, then what a library must be added for. Who accounts for
   * all of its time itself lacks only the name of what it waited for.
   */
  function adviceOn(span: number): number {
    const { resource: resourceOf, flags } = tree.trace
    const resource = resourceOf[span] as number
    const bits = sourcesOf(span)
    if ((bits & companionBit) !== 0) return Advice.addWaitSpan
    const dropped = ((flags[span] as number) & SpanFlag.droppedAttributes) !== 0
    if (dropped && (bits & busyBit) === 0) return Advice.raiseAttributeLimit
    if (resources.process[resource] === 0) return Advice.setInstanceId
    const language = resources.language[resource]
    if (language === Language.rust && (bits & busyBit) === 0) return Advice.enableBusyNs
    if (waitsForPools(resource)) return Advice.addWaitSpan
    if (language === Language.go) {
      return isKnown(resource, Field.schedulingSeconds) ? Advice.addGoCompanion : Advice.registerGoMetrics
    }
    if (language === Language.rust) {
      return isKnown(resource, Field.tokioWorkers) || isKnown(resource, Field.schedulingSeconds)
        ? Advice.addRustCompanion
        : Advice.registerTokioMetrics
    }
    return Advice.addWaitSpan
  }

  return {
    of(request, ns) {
      let call = 0
      let longestNs = 0
      const end = verdict.rowEnd[request] as number
      for (let row = verdict.rowFirst[request] as number; row < end; row++) {
        const span = verdict.span[row] as number
        const rowNs = verdict.ns[row] as number
        if (((verdict.flags[row] as number) & RowFlag.missingPeer) !== 0) {
          ns[Advice.instrumentCallee] = (ns[Advice.instrumentCallee] as number) + rowNs
          if (rowNs <= longestNs) continue
          longestNs = rowNs
          call = operationOf(tree, span)
        } else if (verdict.phase[row] === Phase.unattributed && rowNs > 0) {
          const advice = adviceOn(span)
          ns[advice] = (ns[advice] as number) + rowNs
        }
      }
      return call
    }
  }
}
