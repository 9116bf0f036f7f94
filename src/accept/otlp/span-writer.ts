import { Evidence, Language, SpanFlag, type SpanBatch, type Wants } from '../../model/spans.ts'
import { type Strings } from '../../runtime/strings.ts'
import { type AttributeValue, type ByteSource, noBytes, numberFromText, ValueKind } from './attribute-value.ts'
import { type ComposedNames } from './composed-names.ts'
import { epochFromText, epochNs, epochExactNs } from './epoch.ts'
import { EventWants } from './event-wants.ts'
import { createSpanKeys, Role, rpcPrefixBytes, type SpanKeys } from './known-keys.ts'
import { type DecoderLimits } from './limits.ts'
import { SpanRefusal } from './refusals.ts'
import { growEvidence, growRows } from './span-batch.ts'
import { knownKind, SpanFacts } from './span-facts.ts'
import { samplingThreshold } from './trace-state.ts'

/** `finish` says so when the span counts. */
export const ACCEPTED = -1
const HIGH_WORD = 4294967296
const REMOTE_KNOWN_BIT = 0x100
const REMOTE_BIT = 0x200
const NS_PER_MS = 1e6
/** The contrib packages of OpenTelemetry Go name their scopes by their import paths. */
const GO_SCOPES = 'go.opentelemetry.io/'

/**
 * Writes one span after the other into the batch, whatever format it is read from. The row after the last is the span
 * being read: `begin`, then its fields in any order, then its events and links, then `finish`, which keeps or drops it.
 */
export class SpanWriter {
  readonly facts = new SpanFacts()
  readonly keys: SpanKeys
  readonly events: EventWants
  traceIdOk = false
  spanIdOk = false
  parentIdOk = true
  kind = 0
  overflowed = 0
  #source: ByteSource = noBytes
  #nameStart = 0
  #nameEnd = 0
  #stateStart = 0
  #stateEnd = 0
  #evidenceFirst = 0
  #evidenceRows = 0
  #nowMs = NaN
  // What the spans of a resource say of its language, where it does not say so itself.
  #language: number = Language.unknown
  readonly #batch: SpanBatch
  readonly #strings: Strings
  readonly #names: ComposedNames
  readonly #limits: DecoderLimits
  readonly #event = { hi: 0, lo: 0 }
  readonly #keepEvent: (code: number, field: number) => void

  constructor(
    batch: SpanBatch,
    tools: { strings: Strings; names: ComposedNames; wants: Wants; limits: DecoderLimits }
  ) {
    this.#batch = batch
    this.#strings = tools.strings
    this.#names = tools.names
    this.#limits = tools.limits
    this.keys = createSpanKeys(tools.wants)
    this.events = new EventWants(tools.wants, tools.strings)
    this.#keepEvent = (code, field) => {
      this.#evidence(code, this.#sinceStart(this.#event.hi, this.#event.lo), field)
    }
  }

  beginRequest(nowMs: number): void {
    this.#nowMs = nowMs
    this.startOver()
  }

  /** Forgets what was written of this request. */
  startOver(): void {
    this.#batch.n = 0
    this.#evidenceRows = 0
    this.#language = Language.unknown
    this.overflowed = 0
  }

  /** Of the spans since the last resource. */
  get languageHint(): number {
    return this.#language
  }

  /** Starts a row; ranges given from now on point into `source`. */
  begin(source: ByteSource): void {
    const batch = this.#batch
    const row = batch.n
    if (row >= batch.kind.length) growRows(batch)
    this.#source = source
    this.facts.begin(source)
    this.traceIdOk = false
    this.spanIdOk = false
    this.parentIdOk = true
    this.kind = 0
    this.#nameStart = this.#nameEnd = 0
    this.#stateStart = this.#stateEnd = 0
    this.#evidenceFirst = this.#evidenceRows
    batch.parentId[2 * row] = 0
    batch.parentId[2 * row + 1] = 0
    batch.startHi[row] = batch.startLo[row] = 0
    batch.endHi[row] = batch.endLo[row] = 0
  }

  name(start: number, end: number): void {
    this.#nameStart = start
    this.#nameEnd = end
  }

  traceState(start: number, end: number): void {
    this.#stateStart = start
    this.#stateEnd = end
  }

  /** OTLP's own flags of the span. */
  otlpFlags(bits: number): void {
    if ((bits & REMOTE_KNOWN_BIT) === 0) return
    this.facts.flags |= SpanFlag.parentLocationKnown
    if ((bits & REMOTE_BIT) !== 0) this.facts.flags |= SpanFlag.parentRemote
  }

  /** A key that the table does not know may still say that this is an RPC. */
  otherKey(bytes: Uint8Array, start: number, end: number): void {
    if (bytes[start] !== rpcPrefixBytes[0] || end - start < rpcPrefixBytes.length) return
    for (let i = 1; i < rpcPrefixBytes.length; i++) if (bytes[start + i] !== rpcPrefixBytes[i]) return
    this.facts.flags |= SpanFlag.requestLike
  }

  attribute(key: number, value: AttributeValue): void {
    const role = this.keys.roles[key] as number
    if (role !== 0) this.facts.note(role, value)
    if (role === Role.rustMark) this.#language = Language.rust
    const numberCodes = this.keys.numberCodes[key] as readonly number[]
    if (numberCodes.length > 0) {
      const number =
        value.kind === ValueKind.text ? numberFromText(this.#source.bytes, value.start, value.end) : value.number
      if (value.kind !== ValueKind.none && Number.isFinite(number)) {
        for (const code of numberCodes) this.#replaceEvidence(code, number)
      }
    }
    const textCodes = this.keys.textCodes[key] as readonly number[]
    if (textCodes.length > 0 && value.kind === ValueKind.text) {
      const id = this.#strings.intern(this.#source.bytes, value.start, value.end)
      for (const code of textCodes) this.#replaceEvidence(code, id)
    }
    if ((this.keys.epochCodes[key] as readonly number[]).length > 0) this.epoch(key, value)
  }

  /** An attribute of the span or of one of its links that may say when it was put in a queue. */
  epoch(key: number, value: AttributeValue): void {
    if (value.kind === ValueKind.none) return
    const { bytes } = this.#source
    const said = value.kind === ValueKind.text ? epochFromText(bytes, value.start, value.end) : value.number
    const ns = epochNs(said)
    if (Number.isNaN(ns)) return
    for (const code of this.keys.epochCodes[key] as readonly number[])
      this.#earliestEvidence(code, ns, epochExactNs(said))
  }

  /** Ends the event that `events` was told of. The span's start must be known. */
  endEvent(timeHi: number, timeLo: number): void {
    if (this.events.saysTimeout()) this.facts.exceptionTimeout = true
    if (this.events.saysStream()) this.facts.flags |= SpanFlag.streaming
    if (timeHi === 0 && timeLo === 0) return
    this.#event.hi = timeHi
    this.#event.lo = timeLo
    this.events.match(this.#keepEvent)
  }

  /** Keeps a link whose trace is the span's own. The span's trace id must be known. */
  link(traceId: Uint32Array, spanId: Uint32Array): void {
    const own = this.#batch.traceId
    const at = 4 * this.#batch.n
    for (let i = 0; i < 4; i++) if (own[at + i] !== traceId[i]) return
    this.#evidence(Evidence.linkSameTrace, spanId[0] as number, spanId[1] as number)
  }

  /** Keeps the row, or drops it and says why. */
  finish(): number {
    const batch = this.#batch
    const row = batch.n
    const refusal = this.#refusal(row)
    if (refusal !== ACCEPTED) {
      this.#evidenceRows = this.#evidenceFirst
      return refusal
    }
    const { facts } = this
    const name = this.#strings.intern(this.#source.bytes, this.#nameStart, this.#nameEnd)
    if (this.#stateEnd > this.#stateStart) {
      const threshold = samplingThreshold(this.#source.bytes, this.#stateStart, this.#stateEnd)
      if (!Number.isNaN(threshold)) this.#evidence(Evidence.samplingThreshold, threshold, 0)
    }
    batch.name[row] = name
    batch.operation[row] = facts.operation(name, this.#strings, this.#names)
    batch.kind[row] = knownKind(this.kind)
    batch.outcome[row] = facts.outcome()
    batch.flags[row] = facts.allFlags()
    batch.evidenceEnd[row] = this.#evidenceRows
    batch.n = row + 1
    return ACCEPTED
  }

  /** Gives the rows from `firstRow` on their scope: it may come after its spans. */
  endScope(firstRow: number, scope: number, tailSampled: boolean): void {
    const { scope: column, flags, n } = this.#batch
    column.fill(scope, firstRow, n)
    if (this.#language === Language.unknown && this.#strings.text(scope).startsWith(GO_SCOPES))
      this.#language = Language.go
    if (!tailSampled) return
    for (let row = firstRow; row < n; row++) flags[row] = (flags[row] as number) | SpanFlag.tailSampled
  }

  /** Gives the rows from `firstRow` on their resource, which may come after its spans; what they say of its language is forgotten. */
  endResource(firstRow: number, resource: number): void {
    this.#language = Language.unknown
    this.#batch.resource.fill(resource, firstRow, this.#batch.n)
  }

  #refusal(row: number): number {
    if (!this.traceIdOk) return SpanRefusal.traceId
    if (!this.spanIdOk) return SpanRefusal.spanId
    if (!this.parentIdOk) return SpanRefusal.parentId
    const { startHi, startLo, endHi, endLo } = this.#batch
    const toHi = endHi[row] as number
    const toLo = endLo[row] as number
    const refusal = refusalOfTimes(startHi[row] as number, startLo[row] as number, toHi, toLo)
    return refusal === ACCEPTED ? refusalOfEnd(toHi, toLo, this.#nowMs, this.#limits) : refusal
  }

  #sinceStart(hi: number, lo: number): number {
    const { startHi, startLo, n: row } = this.#batch
    return (hi - (startHi[row] as number)) * HIGH_WORD + (lo - (startLo[row] as number))
  }

  /** Of an attribute given twice the last counts. */
  #replaceEvidence(code: number, a: number): void {
    const { evidence } = this.#batch
    for (let row = this.#evidenceFirst; row < this.#evidenceRows; row++) {
      if (evidence.code[row] === code) {
        evidence.a[row] = a
        return
      }
    }
    this.#evidence(code, a, 0)
  }

  #earliestEvidence(code: number, a: number, b: number): void {
    const { evidence } = this.#batch
    for (let row = this.#evidenceFirst; row < this.#evidenceRows; row++) {
      if (evidence.code[row] !== code) continue
      if ((evidence.a[row] as number) <= a) return
      evidence.a[row] = a
      evidence.b[row] = b
      return
    }
    this.#evidence(code, a, b)
  }

  #evidence(code: number, a: number, b: number): void {
    const row = this.#evidenceRows
    if (row - this.#evidenceFirst >= this.#limits.evidencePerSpanMax) {
      this.overflowed += 1
      return
    }
    if (row >= this.#batch.evidence.code.length) growEvidence(this.#batch)
    const { evidence } = this.#batch
    evidence.code[row] = code
    evidence.a[row] = a
    evidence.b[row] = b
    this.#evidenceRows = row + 1
  }
}

/** Whether a span can have these times, whatever the time is now: two words each of Unix ns. */
export function refusalOfTimes(hi: number, lo: number, toHi: number, toLo: number): number {
  if ((hi === 0 && lo === 0) || (toHi === 0 && toLo === 0)) return SpanRefusal.timestamp
  if (hi > 0x7fffffff || toHi > 0x7fffffff) return SpanRefusal.timestamp
  if (toHi < hi || (toHi === hi && toLo < lo)) return SpanRefusal.endBeforeStart
  return (toHi - hi) * HIGH_WORD + (toLo - lo) > Number.MAX_SAFE_INTEGER ? SpanRefusal.durationTooLong : ACCEPTED
}

/** NaN, the clock of files, is never ahead of anything nor behind it. */
export function refusalOfEnd(
  toHi: number,
  toLo: number,
  nowMs: number,
  limits: Pick<DecoderLimits, 'futureMaxMs' | 'spanAgeMaxMs'>
): number {
  const aheadMs = (toHi * HIGH_WORD + toLo) / NS_PER_MS - nowMs
  if (aheadMs > limits.futureMaxMs) return SpanRefusal.inFuture
  return -aheadMs > limits.spanAgeMaxMs ? SpanRefusal.tooOld : ACCEPTED
}
