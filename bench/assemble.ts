import { performance } from 'node:perf_hooks'
import { assembleSection, assembleSettings, createAssembler } from '../src/assemble/index.ts'
import { Kind, type Resources, type SpanBatch } from '../src/model/spans.ts'

/**
 * Traces of 8 spans over 4 services, in batches of 512 spans by service, so that no trace comes in one batch; 8 s of
 * traffic are held. Prints CPU per span of inserting and gathering, without making the batches, and bytes per span held.
 */
const SPANS_PER_TRACE = 8
const SERVICES = 4
const BATCH_SPANS = 512
const SPANS_PER_SECOND = 100_000
/** Until the memory of closed traces is full and forgets as fast as it learns. */
const WARM_UP_SECONDS = 110
const SECONDS = 150
const EVIDENCE_PER_SPAN = 1

const TRACES_PER_ROUND = (BATCH_SPANS * SERVICES) / SPANS_PER_TRACE
const ROUNDS_PER_SECOND = SPANS_PER_SECOND / (BATCH_SPANS * SERVICES)

/** Seeded xorshift. */
function createRandom(seed: number): () => number {
  let x = seed
  return () => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return x >>> 0
  }
}

function emptyBatch(): SpanBatch {
  const rows = BATCH_SPANS
  const words = (perRow = 1): Uint32Array => new Uint32Array(rows * perRow)
  return {
    n: rows,
    traceId: words(4),
    spanId: words(2),
    parentId: words(2),
    startHi: words().fill(400_000_000),
    startLo: words(),
    endHi: words().fill(400_000_000),
    endLo: words(),
    name: words(),
    operation: words(),
    scope: words(),
    resource: words(),
    kind: new Uint8Array(rows),
    outcome: new Uint8Array(rows),
    flags: new Uint16Array(rows),
    held: new Uint32Array(rows),
    evidenceEnd: Uint32Array.from({ length: rows }, (_, i) => (i + 1) * EVIDENCE_PER_SPAN),
    evidence: {
      code: new Uint16Array(rows * EVIDENCE_PER_SPAN).fill(16),
      a: new Float64Array(rows * EVIDENCE_PER_SPAN).fill(1e9),
      b: new Float64Array(rows * EVIDENCE_PER_SPAN)
    }
  }
}

/** The batches of one round: each trace has its root in service 0, and two spans in every service. */
function fillRound(batches: readonly SpanBatch[], random: () => number): void {
  const fill = batches.map(() => 0)
  const spanIds = new Uint32Array(2 * SPANS_PER_TRACE)
  for (let trace = 0; trace < TRACES_PER_ROUND; trace++) {
    const id = [random(), random(), random(), random()]
    const startNs = random() % 1_000_000_000
    for (let span = 0; span < SPANS_PER_TRACE; span++) {
      spanIds[2 * span] = random()
      spanIds[2 * span + 1] = random()
      const service = span % SERVICES
      const batch = batches[service] as SpanBatch
      const row = fill[service] as number
      fill[service] = row + 1
      for (let word = 0; word < 4; word++) batch.traceId[4 * row + word] = id[word] as number
      const parent = (span - 1) >> 1
      for (let word = 0; word < 2; word++) {
        batch.spanId[2 * row + word] = spanIds[2 * span + word] as number
        batch.parentId[2 * row + word] = span === 0 ? 0 : (spanIds[2 * parent + word] as number)
      }
      batch.startLo[row] = startNs + span * 1_000
      batch.endLo[row] = startNs + 2_000_000 - span * 9_000
      batch.name[row] = 2 + span
      batch.operation[row] = 2 + span
      batch.resource[row] = service
      batch.kind[row] = span === 0 || span % 2 === 0 ? Kind.server : Kind.client
    }
  }
}

function createResources(): Resources {
  const column = (): Uint32Array => Uint32Array.from({ length: SERVICES }, (_, row) => row + 1)
  return {
    rows: SERVICES,
    service: column(),
    process: column(),
    host: column(),
    version: column(),
    language: new Uint8Array(SERVICES)
  }
}

/** Batches of one round come up to 1.6 s apart, as exporters send each 5 s at times of their own. */
const LAG_ROUNDS = [0, 21, 48, 79] as const
const RING_ROUNDS = 128
const rounds = Array.from({ length: RING_ROUNDS }, () => Array.from({ length: SERVICES }, emptyBatch))
const roundMs = 1000 / ROUNDS_PER_SECOND
let filled = 0
let played = 0
let handedOn = 0
let longestMs = 0

const random = createRandom(7)
const assembler = createAssembler(
  assembleSettings(assembleSection.parse({})),
  { resources: createResources(), seed: 1 },
  {
    closed(trace) {
      handedOn += trace.n
    },
    late: () => false
  }
)

/** Plays as many rounds as were filled since; what came more than LAG_ROUNDS ago is whole. */
function playRounds(count: number): void {
  for (const end = played + count; played < end; played++) {
    const nowMs = played * roundMs
    const start = performance.now()
    for (let service = 0; service < SERVICES; service++) {
      const round = played - (LAG_ROUNDS[service] as number)
      const batches = rounds[(round + RING_ROUNDS) % RING_ROUNDS] as SpanBatch[]
      if (round >= 0) assembler.consume(batches[service] as SpanBatch, nowMs)
    }
    assembler.tick(nowMs)
    longestMs = Math.max(longestMs, performance.now() - start)
  }
}

/** CPU seconds of playing one second of traffic, each. Making the batches is not counted. */
const seconds: number[] = []
const roundsPerStep = RING_ROUNDS - Math.max(...LAG_ROUNDS) - 1
while (filled * roundMs < SECONDS * 1000) {
  for (let i = 0; i < roundsPerStep; i++, filled++) fillRound(rounds[filled % RING_ROUNDS] as SpanBatch[], random)
  const before = process.cpuUsage()
  playRounds(roundsPerStep)
  const { user, system } = process.cpuUsage(before)
  if (filled * roundMs > WARM_UP_SECONDS * 1000)
    seconds.push((user + system) / (roundsPerStep * BATCH_SPANS * SERVICES))
}
seconds.sort((a, b) => a - b)

const { closed_traces: closedBytes = 0, scratch = 0, reserve = 0, ...held } = assembler.memory()
const { spans = 0, evidence = 0, traces = 0, learned_roots: learnedBytes = 0 } = held
const open = assembler.openSpans()
const per = (bytes: number): string => (bytes / open).toFixed(1)
const median = seconds[seconds.length >> 1] as number
console.log(`| figure | value |
|---|---|
| insert and gather, CPU a span | ${median.toFixed(3)} µs (median of ${seconds.length} stretches of ${roundsPerStep * BATCH_SPANS * SERVICES} spans; best ${seconds[0]?.toFixed(3)}) |
| longest round of ${BATCH_SPANS * SERVICES} spans | ${longestMs.toFixed(1)} ms |
| spans handed on | ${handedOn} |
| open spans, open traces | ${open}, ${assembler.openTraces()} |
| bytes per open span | ${per(spans + evidence + traces + reserve + scratch)}: spans ${per(spans)}, evidence ${per(evidence)}, traces and index ${per(traces)}, reserve ${per(reserve)}, scratch ${per(scratch)} |
| beside it | closed traces ${(closedBytes / 2 ** 20).toFixed(1)} MiB, learned roots ${(learnedBytes / 1024).toFixed(0)} KiB, rss ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB |`)
