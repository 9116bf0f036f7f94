import { dataFrames, frame, FrameType, grpcMessage } from '../../builders/raw-http2.ts'
import { type Exposition } from '../../builders/prometheus-text.ts'
import { pause } from '../../builders/live-service.ts'
import { type Account } from '../ledger.ts'
import { defineScenario } from '../scenario.ts'
import { spanBytes, traceBody } from '../senders/bodies.ts'
import { headers, openRaw, type RawConnection, settings, Setting } from '../senders/raw-http2.ts'

const STREAMS = 128
const TIMEOUT_MS = 1_000
/** Headers and body each have their time, and a look comes once in both; the rest is for a slow machine. */
const CUT_MS_MAX = 3 * 2 * TIMEOUT_MS + 24_000
const SERVICE = 'window games'

interface Facts {
  readonly connections: number
  readonly calls: number
  readonly left: number
  readonly last: Exposition
}

export const scenario = defineScenario<Facts>({
  name: 'HTTP/2 window games',
  thrown: `connections with a window of 0 and ${STREAMS} calls each, so that no answer can leave, kept busy with pings`,
  settings: { accept: { headers_timeout: `${TIMEOUT_MS}ms`, body_timeout: `${TIMEOUT_MS}ms` } },
  limits: { grownMibMax: 400 },
  async run(bed) {
    const opened = await Promise.all(
      Array.from({ length: bed.pick(20, 200) }, () =>
        openRaw(bed.service.grpc, settings([[Setting.initialWindowSize, 0]]))
      )
    )
    const callers = opened
      .filter((connection) => connection !== undefined)
      .map((connection) => createCaller(connection, bed.ledger.account(SERVICE)))
    for (const caller of callers) await caller.askUntilStuck()
    await Promise.race([pause(CUT_MS_MAX), keepBusy(callers)])
    const left = callers.filter(({ connection }) => connection.isOpen()).length
    for (const { connection } of callers) connection.close()
    const calls = callers.reduce((sum, caller) => sum + caller.calls(), 0)
    return { connections: callers.length, calls, left, last: await bed.settled() }
  },
  happened: ({ connections, calls, left, last }) =>
    `${calls} calls on ${connections} connections; ${last.sum('tail_ingest_connections_cut_total', { reason: 'unread' })} were cut for unread answers, ${left} were left`,
  judge({ left, last }, tally) {
    tally.equal('connections that take no answers are ended', left, 0)
    const cut = last.sum('tail_ingest_connections_cut_total', { reason: 'unread' })
    tally.check('and counted', cut > 0, 'none is')
  }
})

interface Caller {
  readonly connection: RawConnection
  readonly calls: () => number
  /** Makes calls until as many as may be open have no answer: a refusal comes through without a window, and is asked again. */
  readonly askUntilStuck: () => Promise<void>
}

function createCaller(connection: RawConnection, account: Account): Caller {
  let calls = 0
  return {
    connection,
    calls: () => calls,
    async askUntilStuck() {
      while (calls - connection.refused() < STREAMS) {
        if (!(await connection.send(exportCall(1 + 2 * calls)))) return
        account.note('unanswered', 1)
        calls += 1
      }
    }
  }
}

function exportCall(stream: number): Buffer {
  const body = traceBody(SERVICE, [spanBytes({ name: 'window' })])
  return Buffer.concat([headers(stream), dataFrames(stream, grpcMessage(body))])
}

/** Keeps every connection busy with frames that carry nothing, and with what was refused, until all are closed. */
async function keepBusy(callers: readonly Caller[]): Promise<void> {
  const ping = frame(FrameType.ping, 0, 0, Buffer.alloc(8))
  while (callers.some(({ connection }) => connection.isOpen())) {
    await Promise.all(
      callers.map(async ({ connection, askUntilStuck }) => {
        await connection.send(ping)
        await askUntilStuck()
      })
    )
    await pause(200)
  }
}
