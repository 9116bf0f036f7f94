import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { readCredentials } from '../../../src/access/credentials.ts'
import { describeRules } from '../../../src/decompose/index.ts'
import { buildPipeline } from '../../../src/pipeline.ts'
import { Fault, type FaultCode } from '../../../src/runtime/fault.ts'
import { createSegmentReader, readHead } from '../../../src/runtime/segments/scan.ts'
import {
  RECORD_HEAD_BYTES,
  SEGMENT_HEAD_BYTES,
  sealRecords,
  segmentHead,
  writeRecord
} from '../../../src/runtime/segments/format.ts'
import { readStateChunks, writeStateFile } from '../../../src/runtime/state-file.ts'
import { loadSettings } from '../../../src/settings/settings.ts'
import { encodeTraces } from '../../unit/accept/otlp/otlp-messages.ts'
import { randomTraces, seeded } from '../../unit/accept/otlp/random-traces.ts'
import { projectFolder } from '../../builders/live-service.ts'
import { mustHold, type Outcome, type Target } from '../target.ts'

/** Takes it, or refuses it with this code; anything else is a finding. */
function refusable(code: FaultCode, work: () => unknown): Outcome {
  try {
    work()
    return 'taken'
  } catch (error) {
    if (error instanceof Fault && error.code === code) return 'refused'
    throw error
  }
}

const configFile = (name: string): Buffer => readFileSync(join(projectFolder, 'config', name))
const newPipeline = () =>
  buildPipeline(loadSettings('', 'defaults', {}), { log: { error: rethrow }, nowMs: () => 0, seed: 1 })

function rethrow(fields: object): never {
  throw new Error('a stage failed', { cause: fields })
}

function settings(): Target {
  return {
    name: 'settings',
    shape: 'text',
    covers: ['/src/settings/'],
    seeds: () => [
      configFile('image.yaml'),
      Buffer.from(
        'accept: { host: 127.0.0.1, grpc_port: 4317 }\nlog:\n  level: debug\nmemory_limit: 512MiB\nbudgets:\n  - { service: shop, p99: {target: 250ms, allowed: 0.5%} }\n'
      ),
      Buffer.from(
        'data_directory: "${env:HOME}/x"\nexplain:\n  window: &w 10m\n  row_idle: *w\n  sampling: [{service: a*, kind: ratio, ratio: 0.1}]\n'
      ),
      configFile('tailspan.yaml').subarray(0, 4_000)
    ],
    run: (input) =>
      refusable('BAD_SETTINGS', () => loadSettings(Buffer.from(input).toString(), 'fuzzed.yaml', { HOME: '/home/x' }))
  }
}

/** Rules of users come in with SIGHUP too, so they must not break a running pipeline. */
function rules(): Target {
  const pipeline = newPipeline()
  return {
    name: 'rules',
    shape: 'text',
    covers: ['/src/decompose/rules/', '/src/decompose/evidence/user-rules.ts', '/src/runtime/glob.ts'],
    seeds: () => [
      Buffer.from(
        'rules:\n  - { name: pool, span: {glob: "pool.*"}, phase: queue_wait }\n  - { name: gc, attribute: {key: gc.ms}, field: gc.ms, unit: ms, phase: gc, grade: inferred }\n'
      ),
      Buffer.from(
        'rules:\n  - name: wait\n    span: {regex: "^acquire (a|b)+$"}\n    kind: client\n    event: {name: {prefix: got}, where: {key: k, equals: v}}\n    field: since\n    unit: epoch_ms\n    ends_at: event_time\n    phase: downstream\n'
      )
    ],
    run: (input) =>
      refusable('BAD_SETTINGS', () => {
        const { rules: read } = loadSettings(Buffer.from(input).toString(), 'fuzzed.yaml', {}).decompose
        mustHold(
          describeRules(read).every((line) => line !== ''),
          () => 'a rule without words'
        )
        pipeline.setRules(read)
      })
  }
}

function credentials(): Target {
  return {
    name: 'credentials',
    shape: 'text',
    covers: ['/src/access/'],
    seeds: () => [Buffer.from(`# who\nalice: sha256:${'ab'.repeat(32)}\nbob: a-long-plain-secret-of-his\n`)],
    run: (input) => refusable('BAD_SETTINGS', () => readCredentials(Buffer.from(input).toString(), 'fuzzed', ['send']))
  }
}

/** A state file with what a pipeline writes into it. */
async function stateFile(): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-'))
  try {
    const pipeline = newPipeline()
    for (let seed = 1; seed <= 8; seed++) pipeline.accept.traces(encodeTraces(randomTraces(seeded(seed))), 'protobuf')
    for (let minute = 0; minute < 4; minute++)
      for (let tick = 0; tick < 20; tick++) pipeline.tick(minute * 60_000 + tick)
    const { learned, history } = pipeline.state
    const json = (name: string, value: unknown) => ({ name, bytes: Buffer.from(JSON.stringify(value)) })
    const path = join(folder, 'state')
    await writeStateFile(path, [
      json('about', {}),
      json('learned', learned()),
      ...[...history()].map((bytes) => ({ name: 'interval', bytes }))
    ])
    return readFileSync(path)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function withChecksum(input: Uint8Array): Uint8Array {
  const bytes = Buffer.from(input)
  if (bytes.length >= 4) bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4)
  return bytes
}

async function states(): Promise<Target> {
  const whole = await stateFile()
  const pipeline = newPipeline()
  return {
    name: 'state-files',
    shape: 'bytes',
    covers: ['/src/runtime/state-file.ts', '/src/explain/history/', '/src/decompose/learned/'],
    seeds: () => [whole],
    mend: withChecksum,
    run(input) {
      const outcome = refusable('BAD_FILE', () => {
        const chunks = readStateChunks(Buffer.from(input), 'fuzzed')
        const learned = chunks.find(({ name }) => name === 'learned')
        if (learned === undefined) throw new Fault('BAD_FILE', 'nothing learned')
        const history = chunks.filter(({ name }) => name === 'interval').map(({ bytes }) => bytes)
        expected(() => {
          pipeline.state.restore({ learned: parsed(learned.bytes), history }, 1e12)
        })
      })
      // Whatever was in it, the service goes on.
      pipeline.tick(1e12)
      pipeline.sources.operations()
      pipeline.state.learned()
      for (const interval of pipeline.state.history()) mustHold(interval.length > 0, () => 'an empty interval')
      return outcome
    }
  }
}

/** What learned rows should have been is said in words; a property of undefined is an accident. */
function expected(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (error instanceof TypeError && error.message.includes(': expected ')) throw new Fault('BAD_FILE', error.message)
    throw error
  }
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch {
    throw new Fault('BAD_FILE', 'not JSON')
  }
}

const SEGMENT = 1

function segment(payloads: readonly Buffer[]): Buffer {
  const bytes = Buffer.alloc(
    SEGMENT_HEAD_BYTES + payloads.reduce((sum, one) => sum + RECORD_HEAD_BYTES + one.length, 0)
  )
  segmentHead({ number: SEGMENT, isWrittenOver: false }).copy(bytes)
  let at = SEGMENT_HEAD_BYTES
  for (const [i, payload] of payloads.entries())
    at = writeRecord(bytes, at, { type: 1, sequence: i + 1, timeMs: 5, payload })
  sealRecords(bytes.subarray(SEGMENT_HEAD_BYTES), SEGMENT)
  return bytes
}

/** Checksums of heads made right, so that what they say is believed. */
function withHeadChecksums(input: Uint8Array): Uint8Array {
  const bytes = Buffer.from(input)
  for (let at = SEGMENT_HEAD_BYTES; at + RECORD_HEAD_BYTES <= bytes.length;) {
    bytes.writeUInt32LE(crc32(bytes.subarray(at + 4, at + RECORD_HEAD_BYTES), SEGMENT), at)
    at += RECORD_HEAD_BYTES + bytes.readUInt32LE(at + 4)
  }
  return bytes
}

function segments(): Target {
  return {
    name: 'segments',
    shape: 'bytes',
    covers: ['/src/runtime/segments/'],
    seeds: () => [segment([Buffer.from('one'), Buffer.alloc(300, 7), Buffer.alloc(0)]), segment([])],
    mend: withHeadChecksums,
    async run(input) {
      const bytes = Buffer.from(input)
      const file = {
        bytes: bytes.length,
        read: (at: number, into: Uint8Array) => Promise.resolve(bytes.copy(into, 0, at)),
        close: () => Promise.resolve()
      }
      const head = await readHead(file)
      const reader = createSegmentReader(file, SEGMENT)
      let last = SEGMENT_HEAD_BYTES
      for (let record = await reader.next(); record !== undefined; record = await reader.next()) {
        const { at, end, payload } = record
        mustHold(
          at >= last && end <= bytes.length,
          () => `a record from ${at} to ${end} of ${bytes.length}, after ${last}`
        )
        mustHold(payload.equals(bytes.subarray(at + RECORD_HEAD_BYTES, end)), () => 'a payload that is not in the file')
        last = end
      }
      mustHold(
        reader.at() >= last && reader.at() <= Math.max(bytes.length, SEGMENT_HEAD_BYTES),
        () => `reading stopped at ${reader.at()}`
      )
      return typeof head === 'string' ? 'refused' : 'taken'
    }
  }
}

export const fileTargets = async (): Promise<readonly Target[]> => [
  settings(),
  rules(),
  credentials(),
  await states(),
  segments()
]
