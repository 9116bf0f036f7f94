/**
 * Loaded into the service before anything else: its wall clock goes wrong by as many milliseconds as the file says that
 * TORTURE_CLOCK names. Timers and the monotonic clock go on, as they do when a machine's clock is set. What native code takes
 * from the kernel (times of files) stays right.
 */
import { readFileSync } from 'node:fs'

const READ_EVERY_MS = 20
const file = process.env['TORTURE_CLOCK'] ?? ''
const trueNow = Date.now
const TrueDate = Date
let wrongByMs = 0

setInterval(() => {
  try {
    wrongByMs = Number(readFileSync(file, 'utf8'))
  } catch {
    // Not written yet.
  }
}, READ_EVERY_MS).unref()

Date.now = () => trueNow() + wrongByMs
globalThis.Date = new Proxy(TrueDate, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [Date.now()] : args, newTarget) as Date
})
