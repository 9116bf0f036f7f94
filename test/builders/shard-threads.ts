import { Session } from 'node:inspector/promises'

interface AttachedWorker {
  readonly params: { readonly sessionId: string; readonly workerInfo: { readonly url: string } }
}

/** The threads of shards that run in this process, reached as a debugger would: what is done to them needs no door in the service. */
export interface ShardThreads {
  /** Evaluates it in one of them, the oldest by default; nobody waits for it. */
  readonly evaluate: (expression: string, thread?: number) => Promise<void>
  /** How many have begun by now. */
  readonly begun: () => number
  readonly close: () => void
}

/** Of those that run by now, in the order in which they began. */
export async function shardThreads(): Promise<ShardThreads> {
  const session = new Session()
  session.connect()
  const attached: string[] = []
  session.on('NodeWorker.attachedToWorker', ({ params }: AttachedWorker) => {
    if (params.workerInfo.url.endsWith('/pipeline/worker.ts')) attached.push(params.sessionId)
  })
  await session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
  return {
    async evaluate(expression, thread = 0) {
      const sessionId = attached[thread]
      if (sessionId === undefined) throw new Error('no such thread')
      // Apart from the debugger's turn, which is not the thread's own.
      const apart = `setImmediate(() => { ${expression} })`
      const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: apart } })
      await session.post('NodeWorker.sendMessageToWorker', { sessionId, message })
    },
    begun: () => attached.length,
    close() {
      session.disconnect()
    }
  }
}
