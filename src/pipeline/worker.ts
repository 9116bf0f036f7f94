import { parentPort, workerData } from 'node:worker_threads'
import { createDecoderCounters, createResources, createSpanDecoder, decoderLimits } from '../accept/index.ts'
import { createDecomposer, readRules } from '../decompose/index.ts'
import { openSettledTraces } from '../durability/index.ts'
import { createPublishedBands, type JudgedRequests } from '../explain/index.ts'
import { type Chunk, createForwarder, type Send } from '../forward/index.ts'
import { type Decomposition } from '../model/decomposition.ts'
import { type HeldBytes, type MemoryPart } from '../model/memory.ts'
import { type CountedRequests } from '../model/requests.ts'
import { createLog } from '../runtime/log.ts'
import { heldByThread } from '../runtime/memory.ts'
import { openSharedMemory } from '../runtime/shared-memory.ts'
import { createStrings } from '../runtime/strings.ts'
import { createWorldLock } from '../runtime/world-lock.ts'
import { createFindingsWriter } from './findings.ts'
import { createGuard } from './guard.ts'
import {
  type FromShard,
  type RoundKind,
  type ShardStart,
  type ShardState,
  type Taken,
  type ToShard
} from './messages.ts'
import { bytesOfRows, viewRows } from './rows.ts'
import { createShard, type Place } from './shard.ts'
import { shardSettings, stringLimits } from './limits.ts'

const start = workerData as ShardStart
const port = parentPort
if (port === null) throw new Error('a shard runs in a thread')
const settings = shardSettings(start.settings, start.shards)
const log = createLog(settings.log.level)
// The same columns in the same order as in the main thread.
const memory = openSharedMemory(start.buffers, start.thread)
const strings = createStrings({ ...stringLimits(start.settings), seed: start.seed, memory })
const resources = createResources(strings, decoderLimits, memory)
const names = { strings, resources }
const bands = createPublishedBands(start.settings.explain, memory)
const [firstRules, ...laterRules] = start.rules.map(readRules)
const decompose = createDecomposer({ ...settings.decompose, rules: firstRules ?? [] }, { ...names, memory })
const world = createWorldLock(memory, start.shards)
for (const rules of laterRules) decompose.setRules(rules)

const guard = createGuard(log)
const decoderCounters = createDecoderCounters()
const decoder = (into = decoderCounters): ReturnType<typeof createSpanDecoder> =>
  createSpanDecoder({ ...names, limits: decoderLimits, counters: into, wants: decompose.wants() })
let spans = decoder()
const findings = createFindingsWriter(settings.durability.mode !== 'off')
const forward = start.forwards ? createForwarder(settings.forward, { next: sendOn }) : undefined
const nobodyOver = { over: new Uint8Array(64), kept: false }
/** Said with the answer to a phase, and before that only once it is so much: a message costs as much as taking a hundred spans. */
const TAKEN_BYTES = 4 * 1024 ** 2
const nothingTaken = () => ({ spans: 0, length: 0, buffers: [] as { bytes: ArrayBuffer; order: ArrayBuffer }[] })
let taken = nothingTaken()
/** Of a round of 50: nobody waits for an answer of this thread. */
const CLOSE_MS = 20
const shard = createShard(
  settings,
  {
    resources,
    seed: start.seed,
    decompose,
    judge: bands.judge,
    guard,
    forward,
    startMs: start.startMs,
    turnMs: start.hurried ? () => performance.now() : () => 0,
    closeMs: () => CLOSE_MS
  },
  {
    found: note,
    *foundGiant(result, judged, place) {
      yield
      return note(result, judged, place)
    },
    late: findings.addLate,
    uncounted: findings.addUncounted
  }
)
const counters = [
  decoderCounters,
  shard.counters,
  decompose.counters,
  decompose.runtimeCounters,
  guard.counters,
  ...(forward === undefined ? [] : [forward.counters])
]

/** What is known of the requests here: not whether they are over a budget, nor whether the trace will be kept. */
function note(result: Decomposition, judged: JudgedRequests, place: Place): CountedRequests {
  findings.add(result, judged, place)
  const { n } = result.requests
  if (n > nobodyOver.over.length) nobodyOver.over = new Uint8Array(2 * n)
  return { band: judged.bands, ...nobodyOver }
}

function sendOn(to: Send, { bytes, spans: count }: Chunk): void {
  const { buffer } = bytes
  // Its memory is its own: an outbox gives away what it has filled.
  send({ kind: 'forward', send: to, bytes: buffer as ArrayBuffer, length: bytes.length, spans: count }, [
    buffer as ArrayBuffer
  ])
}

function send(message: FromShard, transfer: readonly ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer)
}

function handle(message: ToShard): void {
  switch (message.kind) {
    case 'spans':
      takeSpans(message)
      return
    case 'rows':
      takeRows(message)
      return
    case 'close':
      tell(close[message.round](message.nowMs), message.nowMs)
      return
    case 'judge':
      judge[message.round](message.nowMs)
      tell(0, message.nowMs)
      return
    case 'replay':
      // What is read again was counted as taken by whoever took it.
      spans = decoder(createDecoderCounters())
      shard.replay.begin(openSettledTraces(message.settled))
      return
    case 'recall':
      for (let at = 0; at < message.traceIds.length; at += 4) {
        shard.replay.recall(message.traceIds.subarray(at, at + 4), message.nowMs)
      }
      return
    case 'flush':
      forward?.flush()
      send({ kind: 'flushed' })
      return
    case 'rules':
      decompose.setRules(readRules(message.rules))
      spans = decoder()
      return
    case 'relieve':
      shard.relieve(message.bytes, message.nowMs)
      return
    case 'mark':
      shard.mark({ strings: strings.marks, resources: resources.marks })
      decompose.mark({ strings: strings.marks, resources: resources.marks })
      send({ kind: 'marked' })
  }
}

const close: Readonly<Record<RoundKind, (nowMs: number) => number>> = {
  usual: shard.close,
  replay: shard.replay.close,
  replayed: () => 0,
  last: shard.closeAll
}
const judge: Readonly<Record<RoundKind, (nowMs: number) => void>> = {
  usual: shard.judge,
  replay: shard.judge,
  replayed(nowMs) {
    while (!shard.replay.end(nowMs));
    spans = decoder()
  },
  last() {
    shard.judge(Infinity)
  }
}

/** The main thread has looked at each span already, at its age too: none is refused here. */
function takeSpans(message: Extract<ToShard, { kind: 'spans' }>): void {
  const { bytes, length, order, spans: count, logged, passedOn, nowMs } = message
  guard.run('decode', () => {
    const body = new Uint8Array(bytes, 0, length)
    const refused = spans.decodeProtobuf(body, NaN)
    if (!passedOn) forward?.arrived({ body, encoding: 'protobuf', ...refused }, spans.batch)
    spans.batch.order = new Uint32Array(order, 0, count)
    shard.take(spans.batch, nowMs, logged)
  })
  spans.batch.order = undefined
  taken.buffers.push({ bytes, order })
  took(count, length)
}

/** They were decoded, and what was refused of them left out, in the main thread. */
function takeRows({ rows, request, sequence, nowMs }: Extract<ToShard, { kind: 'rows' }>): void {
  const batch = viewRows(rows)
  if (request !== undefined) {
    forward?.arrived({ body: new Uint8Array(request), encoding: 'protobuf', rejected: 0, places: [] }, batch)
  }
  shard.take(batch, nowMs, sequence)
  took(rows.n, bytesOfRows(rows, request))
}

function took(count: number, length: number): void {
  taken.spans += count
  taken.length += length
  if (taken.length < TAKEN_BYTES) return
  const told = takenSoFar()
  send({ kind: 'taken', taken: told }, buffersOf(told))
}

function takenSoFar(): Taken {
  const so = taken
  taken = nothingTaken()
  return so
}

const buffersOf = ({ buffers }: Taken): ArrayBuffer[] => buffers.flatMap(({ bytes, order }) => [bytes, order])

function tell(closed: number, nowMs: number): void {
  const found = findings.take()
  const told = takenSoFar()
  const due = decompose.due(nowMs)
  send({ kind: 'found', shard: start.thread - 1, findings: found, closed, due, taken: told, state: state() }, [
    ...(found.length === 0 ? [] : [found.cells.buffer]),
    ...found.copies.map(({ buffer }) => buffer),
    ...buffersOf(told)
  ])
}

/** Asking V8 for its memory takes as long as closing a hundred traces. */
const MEMORY_EVERY_MS = 500
let memoryAskedMs = -Infinity

function heldAtTimes(): ShardState['memory'] {
  const nowMs = performance.now()
  if (nowMs - memoryAskedMs < MEMORY_EVERY_MS) return undefined
  memoryAskedMs = nowMs
  return heldNow()
}

function heldNow(): HeldBytes {
  const { held = 0 } = decompose.memory()
  return heldByThread<MemoryPart>({ ...shard.memory(), held, decoder: spans.memory() })
}

function counted(): Float64Array {
  const all = new Float64Array(counters.reduce((sum, { values }) => sum + values.length, 0))
  let top = 0
  for (const { values } of counters) {
    all.set(values, top)
    top += values.length
  }
  return all
}

function state(): ShardState {
  const { user, system } = process.threadCpuUsage()
  return {
    openSpans: shard.openSpans(),
    unsentSpans: forward?.spans() ?? 0,
    openBytes: shard.openBytes(),
    oldestUncounted: shard.oldestUncounted(),
    cpuSeconds: (user + system) / 1e6,
    memory: heldAtTimes(),
    counters: counted()
  }
}

port.on('message', (message: ToShard) => {
  world.enter()
  try {
    handle(message)
  } finally {
    world.leave()
  }
})
// All clocks of the process begin together.
shard.close(start.startMs)
// What it holds now must not be taken for something of the process's own.
send({ kind: 'started', memory: heldNow(), counters: counters.flatMap((stage) => stage.samples()) })
