import { type Decomposition } from '../model/decomposition.ts'
import { GRADES, PHASES, PHASE_SLOTS, Phase } from '../model/phases.ts'
import { Band, type CountedRequests } from '../model/requests.ts'
import { SpanFlag } from '../model/spans.ts'
import { AttributeWriter, KeepReason } from './attributes.ts'
import { namesTaken } from './senders-span.ts'
import { type EnrichmentName } from './settings.ts'

/** Attributes for the spans of one trace. */
export interface Enrichment {
  readonly writer: AttributeWriter
  readonly begin: (result: Decomposition, found: CountedRequests) => void
  /** Whether this row gets anything. */
  readonly concerns: (row: number) => boolean
  /** Writes what is added to a row, whose bytes as its sender sent them are given. */
  readonly write: (row: number, bytes: Buffer, from: number, to: number) => void
  readonly bytes: () => number
}

const NO_REQUEST = -1

export function createEnrichment(wanted: readonly EnrichmentName[]): Enrichment {
  const wants = (name: EnrichmentName): boolean => wanted.includes(name)
  const ofRequests = wanted.some((name) => name !== 'critical_path')
  const [wantsPhases, wantsDominant, wantsGrades] = [wants('phases'), wants('dominant_phase'), wants('grades')]
  const [wantsBand, wantsPath, wantsKeep] = [wants('band'), wants('critical_path'), wants('keep')]
  const writer = new AttributeWriter()
  let requestOf = new Int32Array(64)
  let pathNs = new Float64Array(64)
  let phaseNs: Float64Array = new Float64Array(0)
  let found: CountedRequests = { band: new Uint8Array(0), over: new Uint8Array(0), kept: false }
  let flags: Uint16Array = new Uint16Array(0)
  let rootRequest = NO_REQUEST

  function begin(result: Decomposition, foundRequests: CountedRequests): void {
    const { n } = result.trace
    flags = result.trace.flags
    if (requestOf.length < n) {
      requestOf = new Int32Array(2 * n)
      pathNs = new Float64Array(2 * n)
    }
    // Most traces are too small for calls to pay.
    for (let row = 0; row < n; row++) {
      requestOf[row] = NO_REQUEST
      pathNs[row] = 0
    }
    found = foundRequests
    rootRequest = result.rootRequest
    const { requests } = result
    phaseNs = requests.phaseNs
    if (ofRequests) for (let i = 0; i < requests.n; i++) requestOf[requests.span[i] as number] = i
    if (wantsPath) result.addPathNs(pathNs)
  }

  function phaseSum(request: number, phase: number): number {
    const slot = request * PHASE_SLOTS + phase * GRADES
    return (phaseNs[slot] as number) + (phaseNs[slot + 1] as number) + (phaseNs[slot + 2] as number)
  }

  function writePhases(request: number): void {
    let most = 0
    let dominant = NO_REQUEST
    for (let phase = 0; phase < PHASES; phase++) {
      const ns = phaseSum(request, phase)
      if (ns === 0) continue
      if (wantsPhases) writer.phase(phase, ns)
      if (wantsGrades && phase !== Phase.unattributed) writer.grade(phase, mainGrade(request, phase))
      if (ns <= most) continue
      most = ns
      dominant = phase
    }
    if (wantsDominant && dominant !== NO_REQUEST) writer.dominantPhase(dominant)
  }

  /** The one that most of a phase's time has; of equals the stronger. */
  function mainGrade(request: number, phase: number): number {
    const slot = request * PHASE_SLOTS + phase * GRADES
    let main = 0
    for (let grade = 1; grade < GRADES; grade++) {
      if ((phaseNs[slot + grade] as number) > (phaseNs[slot + main] as number)) main = grade
    }
    return main
  }

  function writeKeep(request: number): void {
    if (found.band[request] === Band.gtP99) writer.keep(KeepReason.tail)
    else if (found.over[request] === 1) writer.keep(KeepReason.overBudget)
    else if (found.kept && request === rootRequest) writer.keep(KeepReason.example)
  }

  return {
    writer,
    begin,
    concerns: (row) => requestOf[row] !== NO_REQUEST || pathNs[row] !== 0,
    write(row, bytes, from, to) {
      // Few spans do, and looking at all of one costs more than what is added to it.
      const mayClash = ((flags[row] as number) & SpanFlag.hasAddedName) !== 0
      writer.beginSpan(mayClash ? namesTaken(bytes, from, to) : 0)
      const request = requestOf[row] as number
      if (request !== NO_REQUEST) {
        writePhases(request)
        if (wantsBand && found.band[request] !== Band.none) writer.band(found.band[request] as number)
        if (wantsKeep) writeKeep(request)
      }
      const ns = pathNs[row] as number
      if (ns > 0) writer.criticalPathNs(ns)
    },
    bytes: () => requestOf.byteLength + pathNs.byteLength + writer.bytes.length
  }
}
