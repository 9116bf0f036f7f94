import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { METRICS_FILE, TRACES_FILE } from './truth/recording.ts'
import { type Next, startSink } from './truth/sink.ts'
import { type Analysis, analyzeRecording } from './truth/analysis.ts'

/** Stands between the shop and a live Tailspan, and keeps what goes through for `analyze`. */
export interface Relay {
  /** What came before is not for `analyze`. */
  readonly keepFromNow: () => void
  /** host:port of each protocol. */
  readonly endpoints: { readonly grpc: string; readonly http: string }
  /** Of all that was kept; nothing goes through any more. Says so where some was refused. */
  readonly analyze: () => Promise<Analysis>
  readonly close: () => Promise<void>
}

const SEND_MS_MAX = 10_000

/** `http` is where Tailspan takes OTLP over HTTP. */
export async function startRelay(http: string): Promise<Relay> {
  const folder = mkdtempSync(join(tmpdir(), 'tailspan-shop-'))
  const sink = await startSink(folder, sendTo(http), { keeps: false })
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => (closed ??= sink.close())
  return {
    keepFromNow: sink.keep,
    endpoints: { grpc: sink.grpc, http: sink.http },
    async analyze() {
      await close()
      const { refused } = sink.counts()
      if (refused > 0)
        throw new Error(`${refused} export requests were refused: analyze would not see what the service saw`)
      const files = { traceFiles: [join(folder, TRACES_FILE)], metricFiles: [join(folder, METRICS_FILE)] }
      return await analyzeRecording({ folder, ...files })
    },
    async close() {
      await close()
      rmSync(folder, { recursive: true })
    }
  }
}

const sendTo =
  (http: string): Next =>
  async (signal, body) => {
    try {
      const answer = await fetch(`http://${http}/v1/${signal}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: new Uint8Array(body),
        signal: AbortSignal.timeout(SEND_MS_MAX)
      })
      await answer.arrayBuffer()
      return answer.ok
    } catch {
      return false
    }
  }
