import { createHistory } from '../src/explain/history/history.ts'
import { createOperationTable, growOperationTable } from '../src/explain/operation-table.ts'
import { PHASES } from '../src/model/phases.ts'
import { Band, BANDS, Outcome, OUTCOMES } from '../src/model/requests.ts'
import { addExact } from '../src/runtime/exact-sums.ts'
import { SKETCH_BINS, sketchBin } from '../src/runtime/sketch.ts'
import { createStrings } from '../src/runtime/strings.ts'
import { digits, figureTable, markdownTable, mib } from './table.ts'

const OPERATIONS = 500
const HOURS = 25
const REQUESTS_A_MINUTE = 120
const MINUTE_MS = 60_000
const START_MS = 1_700_000_100_000
const BOUND_BYTES = 64 * 1024 ** 2
const MS_BOUND = 15

/**
 * A day and an hour of busy operations, each with a body and a long tail of its own: two requests a second, durations over five
 * octaves and, one in a hundred, up to a hundred times longer. The counters move as explain's do; history only reads them.
 */
const strings = createStrings({ stringsMax: 10_000, bytesMax: 1 << 20, stringBytesMax: 256, seed: 1 })
const sketches = new Float64Array((OPERATIONS + 1) * SKETCH_BINS)
const table = createOperationTable((row) => sketches.subarray(row * SKETCH_BINS, (row + 1) * SKETCH_BINS))
growOperationTable(table, OPERATIONS + 1)
table.rows = OPERATIONS + 1
for (let row = 1; row <= OPERATIONS; row++) {
  table.live[row] = 1
  table.service[row] = strings.internText(`service-${row % 40}`)
  table.operation[row] = strings.internText(`GET /resources/r${row}/{id}`)
}
const empty = new Uint32Array(1)
const resources = { rows: 1, service: empty, process: empty, host: empty, version: empty, language: new Uint8Array(1) }
let lost = 0
const history = createHistory(
  { historyMs: HOURS * 60 * MINUTE_MS, historyBytesMax: BOUND_BYTES, sketchBytesMax: BOUND_BYTES },
  {
    table,
    strings,
    resources,
    onLost(_, count) {
      lost += count
    },
    onSketchOverflow() {
      throw new Error('sketches overflow')
    }
  }
)

let seed = 7
function draw(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return (seed + 0.5) / 2 ** 32
}

function request(row: number): void {
  const normal = Math.sqrt(-2 * Math.log(draw())) * Math.cos(2 * Math.PI * draw())
  const tail = draw() < 0.01
  const ns = Math.round(1e6 * (1 + (row % 90)) * Math.exp(0.5 * normal) * (tail ? 1 + 100 * draw() : 1))
  const bin = row * SKETCH_BINS + sketchBin(ns)
  sketches[bin] = (sketches[bin] as number) + 1
  table.seen[row] = (table.seen[row] as number) + 1
  const band = tail ? Band.gtP99 : draw() < 0.5 ? Band.leP50 : Band.p50P95
  const cell = (row * BANDS + band) * OUTCOMES + Outcome.ok
  table.requests[cell] = (table.requests[cell] as number) + 1
  for (let phase = 0; phase < PHASES; phase++) {
    addExact(table.phaseNs, (row * BANDS + band) * PHASES + phase, Math.floor(ns / PHASES))
  }
}

/** CPU of this thread: on a busy machine the clock on the wall shows the others. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1e3
}

const ticks: number[] = []
let workMs = 0
/** As the service does it: a tick every 50 ms, of which nearly all find nothing to do. */
function endMinute(nowMs: number): void {
  for (let tick = 0; tick < 60; tick++) {
    const startMs = cpuMs()
    history.tick(nowMs + tick * 50)
    const ms = cpuMs() - startMs
    ticks.push(ms)
    workMs += ms
  }
}

history.tick(START_MS)
const minutes = (HOURS + 1) * 60
for (let minute = 1; minute <= minutes; minute++) {
  for (let row = 1; row <= OPERATIONS; row++) for (let i = 0; i < REQUESTS_A_MINUTE; i++) request(row)
  endMinute(START_MS + minute * MINUTE_MS)
}

const nowMs = START_MS + minutes * MINUTE_MS
const asked = { fromMs: nowMs - HOURS * 60 * MINUTE_MS, toMs: nowMs, pointsMax: 60 }
const QUERIES = 200
const queryStartMs = cpuMs()
for (let i = 1; i <= QUERIES; i++) {
  const found = history.of(`service-${i % 40}`, `GET /resources/r${i}/{id}`, asked)
  if (found === undefined || found.points.length < 50) throw new Error('no history')
}

const queryMs = (cpuMs() - queryStartMs) / QUERIES

const saveStartMs = cpuMs()
const saved = [...history.save()]
const saveMs = cpuMs() - saveStartMs
const restoreStartMs = cpuMs()
history.restore(saved, nowMs)
const restoreMs = cpuMs() - restoreStartMs

const longest = (values: readonly number[]): number => values.reduce((most, value) => Math.max(most, value), 0)
const held = history.bytes()
const longestTickMs = longest(ticks.slice(600))
const operations = `${OPERATIONS} operations over ${HOURS} h`
console.log(
  figureTable([
    {
      name: `Memory, ${operations}`,
      measured: mib(held),
      bound: `≤ ${mib(BOUND_BYTES)}, nothing lost`,
      met: held <= BOUND_BYTES && lost === 0
    },
    {
      name: 'Longest tick once compiled, CPU',
      measured: `${digits(longestTickMs)} ms`,
      bound: `≤ ${MS_BOUND} ms`,
      met: longestTickMs <= MS_BOUND
    }
  ])
)
console.log()
console.log(
  markdownTable(
    ['beside it', ''],
    [
      ['intervals', digits(history.intervals().length)],
      ['CPU for the end of a minute, coarsening included', `${digits(workMs / minutes)} ms`],
      [`one operation over ${HOURS} h in 60 points`, `${digits(queryMs)} ms`],
      [
        'saved',
        `${mib(saved.reduce((sum, bytes) => sum + bytes.length, 0))} in ${digits(saveMs)} ms, one interval at a time`
      ],
      ['restored', `${digits(restoreMs)} ms`]
    ]
  )
)
