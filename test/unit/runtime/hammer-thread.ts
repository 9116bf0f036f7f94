import { parentPort, workerData } from 'node:worker_threads'
import { OVERFLOW_ROW } from '../../../src/accept/otlp/index.ts'
import { openSharedMemory } from '../../../src/runtime/shared-memory.ts'
import { OTHER_ID } from '../../../src/runtime/strings.ts'
import { wholeNumbers } from '../../builders/whole-numbers.ts'
import { type HammerData, type HammerReport, hammerTables, PIECES, TEXTS } from './hammer-tables.ts'

/** Interns texts that others intern too, makes rows of them and counts pieces, as fast as it can, while the test publishes and sweeps. */
const { buffers, thread, shards, messages } = workerData as HammerData
const memory = openSharedMemory(buffers, thread)
const { strings, resources, bodies, mutex, world } = hammerTables(memory, shards)
const below = wholeNumbers(thread)
const ids = new Map<string, number>()
const rows = new Map<string, number>()
const wrong: string[] = []
let lessons = 0
let reported = false

function name(): void {
  const text = `name ${below(TEXTS)}`
  const id = strings.internText(text)
  if (id === OTHER_ID) return
  if (strings.text(id) !== text || (ids.get(text) ?? id) !== id) wrong.push(text)
  ids.set(text, id)
  const row = resources.rowOf({ service: id, process: 0, host: 0, version: 0, language: 0 })
  if (row === OVERFLOW_ROW) return
  if (resources.service[row] !== id || (rows.get(text) ?? row) !== row) wrong.push(`row of ${text}`)
  rows.set(text, row)
}

/** Half of what is held is dropped at each mark, as closed traces are; what was reported is kept. */
function mark(): void {
  for (const [text, id] of ids) {
    if (reported || below(2) === 0) strings.marks[id] = 1
    else ids.delete(text)
  }
  for (const [text, row] of rows) {
    if (ids.has(text)) resources.marks[row] = 1
    else rows.delete(text)
  }
}

function learn(): void {
  mutex.lock()
  try {
    bodies.learn(1_000_000, 1, 2, 3 + below(PIECES), 1_000)
    lessons += 1
  } finally {
    mutex.unlock()
  }
}

function message(): void {
  world.enter()
  try {
    for (let i = 0; i < 50; i++) name()
    for (let i = 0; i < 20; i++) learn()
  } finally {
    world.leave()
  }
}

/** Leaves the event loop a turn after each slice, so that the test can ask for marks. */
function run(left: number): void {
  for (let i = 0; i < 20 && i < left; i++) message()
  if (left > 20) setImmediate(run, left - 20)
  else {
    reported = true
    parentPort?.postMessage({ ids: [...ids], rows: [...rows], wrong, lessons } satisfies HammerReport)
  }
}

parentPort?.on('message', (asked: 'mark' | 'end') => {
  if (asked === 'end') process.exit()
  world.enter()
  mark()
  world.leave()
  parentPort?.postMessage('marked')
})
setImmediate(run, messages)
