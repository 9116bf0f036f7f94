/** Samples memory and answers of the process until its thread is ended. */
import { get } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parentPort } from 'node:worker_threads'
import { pause, residentBytesOf } from '../builders/live-service.ts'
import { type Vitals, type Waits, type Watched } from './vitals.ts'

const MEMORY_EVERY_MS = 50
const HEALTH_EVERY_MS = 250
const METRICS_EVERY_MS = 1_000
const ANSWER_MS_MAX = 30_000

const delay = monitorEventLoopDelay({ resolution: 10 })
delay.enable()
let watched: Watched | undefined
let residentFirstBytes = 0
let residentPeakBytes = 0
const health = createWaits()
const metrics = createWaits()

parentPort?.on('message', (message: { watched?: Watched; read?: true }) => {
  if (message.read === true) {
    const vitals: Vitals = {
      residentFirstBytes,
      residentPeakBytes,
      health: health.read(),
      metrics: metrics.read(),
      ownDelayMs: delay.max / 1e6
    }
    parentPort?.postMessage(vitals)
  } else {
    watched = message.watched
  }
})

setInterval(() => {
  if (watched === undefined) return
  try {
    const { nowBytes } = residentBytesOf(watched.pid)
    if (!(nowBytes > 0)) return
    if (residentFirstBytes === 0) residentFirstBytes = nowBytes
    residentPeakBytes = Math.max(residentPeakBytes, nowBytes)
  } catch {
    // The process has ended; whoever runs the scenario sees that too.
  }
}, MEMORY_EVERY_MS)

void ask('/healthz', HEALTH_EVERY_MS, health.add)
void ask('/metrics', METRICS_EVERY_MS, metrics.add)

/** Asks again and again, each time after the answer to the last. */
async function ask(path: string, everyMs: number, add: (tookMs: number | undefined) => void): Promise<void> {
  for (;;) {
    const target = watched
    if (target !== undefined) {
      const startedMs = performance.now()
      const answered = await answers(`http://${target.metrics}${path}`)
      // One that was stopped on purpose meanwhile is not late.
      if (target === watched) add(answered ? performance.now() - startedMs : undefined)
    }
    await pause(everyMs)
  }
}

/** Whether the whole answer came, and was a good one. */
function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: ANSWER_MS_MAX }, (response) => {
      response.resume()
      response.on('end', () => {
        resolve(response.statusCode === 200)
      })
      response.on('error', () => {
        resolve(false)
      })
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => {
      resolve(false)
    })
  })
}

function createWaits(): { add: (tookMs: number | undefined) => void; read: () => Waits } {
  const tookMs: number[] = []
  let failed = 0
  return {
    add(took) {
      if (took === undefined) failed += 1
      else tookMs.push(took)
    },
    read() {
      const sorted = tookMs.toSorted((a, b) => a - b)
      const p99Ms = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? NaN
      return { answered: sorted.length, failed, p99Ms, worstMs: sorted.at(-1) ?? NaN }
    }
  }
}
