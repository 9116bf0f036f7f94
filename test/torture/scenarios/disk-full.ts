import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type LiveService, scrapeUntil, startService } from '../../builders/live-service.ts'
import { type Exposition } from '../../builders/prometheus-text.ts'
import { defineScenario } from '../scenario.ts'
import { spanBytes, traceBody } from '../senders/bodies.ts'
import { postNoting } from '../senders/noting.ts'

const SERVICE = 'squeezed'
const DISK_MIB = 24
const SPANS_A_BODY = 200
const BODIES = 20
const RECOVERY_MS_MAX = 30_000

interface Facts {
  /** False where no file system can be made. */
  readonly made: boolean
  readonly degraded: number
  readonly warned: boolean
  readonly acknowledged: number
  readonly retryable: number
  readonly refused: number
  readonly counted: number
  readonly recoveredMs: number
}

const nothing: Facts = {
  made: false,
  degraded: 0,
  warned: false,
  acknowledged: 0,
  retryable: 0,
  refused: 0,
  counted: 0,
  recoveredMs: 0
}

/** A file system of its own, of 24 MiB: somebody else fills it, and makes room again. */
export const scenario = defineScenario<Facts>({
  name: 'disk full',
  thrown: 'a file system that is full and then has room again, with durability: batch and on_error: refuse',
  async run(bed) {
    const disk = join(bed.folder, 'disk')
    mkdirSync(disk)
    if (!mounted(disk)) return nothing
    bed.defer(() => {
      execFileSync('umount', [disk])
    })
    const service = await startService({
      durability: 'batch',
      segment_log: { directory: join(disk, 'log'), segment_bytes: '1MiB', on_error: 'refuse', free_share_min: '0%' },
      assemble: { quiet_time: '1s' },
      expose: { zero_first: '0s' }
    })
    bed.defer(async () => {
      await service.stop()
    })
    const books = { acknowledged: 0, retryable: 0, refused: 0, unanswered: 0 }
    await send(service, books)
    const filler = join(disk, 'filler')
    fill(filler)
    await send(service, books)
    const degraded = (await service.scrape()).sum('tail_log_degraded')
    const health = (await (await fetch(`http://${service.metrics}/healthz`)).json()) as { warnings: string[] }
    rmSync(filler)
    const startMs = performance.now()
    await scrapeUntil(service, (now) => now.sum('tail_log_degraded') === 0, { everyMs: 100, forMs: RECOVERY_MS_MAX })
    const recoveredMs = performance.now() - startMs
    await send(service, books)
    const requests = (now: Exposition): number => now.sum('tail_requests_total', { service_name: SERVICE })
    const counted = requests(await scrapeUntil(service, (now) => requests(now) >= books.acknowledged))
    return { made: true, degraded, warned: health.warnings.length > 0, ...books, counted, recoveredMs }
  },
  happened: ({ made, acknowledged, retryable, counted, recoveredMs }) =>
    made
      ? `${acknowledged} requests acknowledged, ${retryable} told to come back, ${counted} counted; written again ${Math.round(recoveredMs)} ms after there was room`
      : 'left out: no file system can be made here',
  judge(facts, tally) {
    if (!facts.made) {
      tally.skip('a full file system', 'none can be mounted here')
      return
    }
    tally.equal('it says that it cannot write', facts.degraded, 1)
    tally.check('/healthz warns', facts.warned, 'no warning')
    tally.check('senders are told to come back', facts.retryable > 0, 'nobody was refused')
    tally.equal('nothing is refused for good', facts.refused, 0)
    const { acknowledged, retryable, counted } = facts
    const holds = counted >= acknowledged && counted <= acknowledged + retryable
    tally.check('what was acknowledged is counted, once', holds, `${counted} of ${acknowledged}`)
    tally.check('it recovers by itself', facts.recoveredMs < RECOVERY_MS_MAX, `not after ${RECOVERY_MS_MAX} ms`)
  }
})

function mounted(path: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', path], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Until nothing more fits. */
function fill(path: string): void {
  try {
    writeFileSync(path, Buffer.alloc(DISK_MIB * 1024 ** 2, 1))
  } catch {
    // Full.
  }
}

async function send(service: LiveService, books: Record<string, number>): Promise<void> {
  for (let i = 0; i < BODIES; i++) {
    const body = traceBody(
      SERVICE,
      Array.from({ length: SPANS_A_BODY }, () => spanBytes())
    )
    const note = (outcome: string, requests: number): void => {
      books[outcome] = (books[outcome] ?? 0) + requests
    }
    const account = { service: SERVICE, requests: none, bodies: none, note }
    await postNoting(service.http, body, { account, requests: SPANS_A_BODY })
  }
}

const none = { acknowledged: 0, retryable: 0, refused: 0, unanswered: 0 }
