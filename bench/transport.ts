import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openToAll } from '../src/access/index.ts'
import { createAcceptor } from '../src/accept/acceptor.ts'
import { acceptSection, acceptSettings } from '../src/accept/settings.ts'

// Server CPU per request of accept's transport alone: bodies are read, counted and forgotten.
const { values } = parseArgs({
  options: {
    bytes: { type: 'string', default: '225000' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '8' },
    streams: { type: 'string', default: '4' }
  }
})
/** Enough for the compiler to have seen everything, however slow the machine is just now. */
const WARM_UP_REQUESTS = 4000

async function measure(kind: 'grpc' | 'http'): Promise<string> {
  let requests = 0
  const take = (): { rejected: number; message: string } => {
    requests += 1
    return { rejected: 0, message: '' }
  }
  const settings = acceptSettings(acceptSection.parse({ grpc_port: 0, http_port: 0 }))
  const log = { info() {}, warn: console.warn }
  const tools = {
    log,
    nowMs: Date.now,
    turnMs: () => performance.now(),
    random: Math.random,
    guard: openToAll,
    tls: undefined
  }
  const acceptor = createAcceptor(settings, tools, { traces: take, metrics: take, admission: () => undefined })
  const { grpc } = await acceptor.listen()
  const client = spawn(
    process.execPath,
    [
      new URL('./transport-client.ts', import.meta.url).pathname,
      kind,
      String(grpc.port),
      values.bytes,
      values.connections,
      values.streams
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] }
  )
  while (requests < WARM_UP_REQUESTS) await sleep(10)
  const [before, cpu, start] = [requests, process.cpuUsage(), performance.now()]
  await sleep(Number(values.seconds) * 1000)
  const { user, system } = process.cpuUsage(cpu)
  const done = requests - before
  const perSecond = (done / (performance.now() - start)) * 1000
  client.kill()
  await acceptor.close(500)
  return `| ${kind} | ${values.bytes} | ${perSecond.toFixed(0)} | ${((user + system) / done).toFixed(0)} | ${(user / done).toFixed(0)} | ${(system / done).toFixed(0)} |`
}

console.log('| transport | body bytes | requests/s | CPU µs/request | user | system |')
console.log('|---|---|---|---|---|---|')
for (let round = 0; round < Number(values.rounds); round++) {
  console.log(await measure('http'))
  console.log(await measure('grpc'))
}
