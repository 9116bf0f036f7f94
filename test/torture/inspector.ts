import { pause } from '../builders/live-service.ts'

/** Says where the inspector is, in what the process writes; start it with `INSPECTED`. */
const ADDRESS = /Debugger listening on (ws:\S+)/
export const INSPECTED: readonly string[] = ['--inspect=127.0.0.1:0']

const ATTACH_MS_MAX = 10_000
const LOOK_EVERY_MS = 20

interface ProtocolMessage {
  /** Of an answer, that of the question. */
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly sessionId: string; readonly workerInfo?: { readonly url: string } }
}

/** Node's inspector of a live service: what it does to a thread needs no door in the service itself. */
export interface Inspector {
  /** Evaluates it in the thread of a shard, the one that has run for longest, and does not wait for it. */
  readonly inOldestShard: (expression: string) => Promise<void>
  /** All of the main thread's, before it resolves. */
  readonly collectGarbage: () => Promise<void>
  readonly close: () => void
}

export async function inspect(output: string): Promise<Inspector> {
  const socket = new WebSocket(ADDRESS.exec(output)?.[1] ?? '')
  const shards: string[] = []
  const asked = new Map<number, () => void>()
  let sent = 0
  const send = (method: string, params: object): void => {
    socket.send(JSON.stringify({ id: (sent += 1), method, params }))
  }
  socket.addEventListener('message', ({ data }) => {
    const { id = 0, method, params } = JSON.parse(String(data)) as ProtocolMessage
    asked.get(id)?.()
    asked.delete(id)
    const { sessionId = '', workerInfo } = params ?? {}
    if (method === 'NodeWorker.attachedToWorker' && workerInfo?.url.endsWith('/pipeline/worker.ts') === true) {
      shards.push(sessionId)
    } else if (method === 'NodeWorker.detachedFromWorker' && shards.includes(sessionId)) {
      shards.splice(shards.indexOf(sessionId), 1)
    }
  })
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', reject)
  })
  send('NodeWorker.enable', { waitForDebuggerOnStart: false })
  return {
    async inOldestShard(expression) {
      for (const untilMs = performance.now() + ATTACH_MS_MAX; shards[0] === undefined;) {
        if (performance.now() > untilMs) throw new Error('no shard has a thread')
        await pause(LOOK_EVERY_MS)
      }
      const message = JSON.stringify({ id: (sent += 1), method: 'Runtime.evaluate', params: { expression } })
      send('NodeWorker.sendMessageToWorker', { sessionId: shards[0], message })
    },
    collectGarbage: () =>
      new Promise((resolve) => {
        send('HeapProfiler.collectGarbage', {})
        asked.set(sent, resolve)
      }),
    close() {
      socket.close()
    }
  }
}
