import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { scrapeUntil, startService, type LiveService, type SettingsFile } from '../builders/live-service.ts'
import { type Tally } from '../builders/tally.ts'
import { makeCgroup } from './cgroup.ts'
import { createLedger, settledSince } from './ledger.ts'
import { type Bed, type Form, limitsOf, type Scenario } from './scenario.ts'
import { watchVitals } from './vitals.ts'

/** What every scenario's service is set to, so that waiting is short and counters are shown as they are. */
const baseSettings: SettingsFile = { assemble: { quiet_time: '1s' }, expose: { zero_first: '0s' } }

const SETTLED_MS_MAX = 60_000
const MINUTE_MS = 60_000

/** A bed with what only its maker may do. */
export interface MadeBed extends Bed {
  /** Cleans up what the scenario left; the service ends last. Gives the exit code after SIGTERM. */
  readonly close: () => Promise<number | null>
}

/** Starts the service as a scenario wants it, and watches it. */
export async function makeBed(scenario: Scenario, { short, minutes }: Form, tally: Tally): Promise<MadeBed> {
  const folder = mkdtempSync(join(tmpdir(), 'tailspan-torture-'))
  const ports = await freePorts(scenario.ports ?? [])
  const data = { folder, ...Object.fromEntries(ports) }
  const { cgroup: wanted, ...start } = fill(scenario.start ?? {}, data)
  const cgroup = wanted === undefined ? undefined : makeCgroup(wanted)
  const ledger = createLedger()
  const vitals = watchVitals()
  const settings = fill(merged(baseSettings, scenario.settings ?? {}), data)
  const cleanUps: (() => Promise<void> | void)[] = []
  let service = await launch(settings)

  async function launch(file: SettingsFile): Promise<LiveService> {
    const launched = await startService(file, { ...start, ...(cgroup && { onSpawn: cgroup.add }) })
    vitals.watch({ pid: launched.pid, metrics: launched.metrics })
    return launched
  }

  return {
    get service() {
      return service
    },
    ledger,
    tally,
    short,
    confined: cgroup !== undefined,
    folder,
    port(name) {
      const port = ports.get(name)
      if (port === undefined) throw new Error(`the scenario has no port ${name}`)
      return port
    },
    vitals: vitals.read,
    pick: (inShort, inWhole) => (short ? inShort : inWhole),
    lasting: (shortMs, wholeMs) => (short ? shortMs : minutes === undefined ? wholeMs : minutes * MINUTE_MS),
    settled: () =>
      scrapeUntil(service, settledSince(ledger, limitsOf(scenario, short).countedTogether), { forMs: SETTLED_MS_MAX }),
    async kill() {
      vitals.watch(undefined)
      await service.kill()
    },
    async restart() {
      vitals.watch(undefined)
      const port = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1))
      const { grpc, http, metrics } = service
      if (service.alive()) await service.stop()
      service = await launch(
        merged(settings, {
          accept: { grpc_port: port(grpc), http_port: port(http) },
          expose: { port: port(metrics) }
        })
      )
      return service.readyMs
    },
    defer(cleanUp) {
      cleanUps.push(cleanUp)
    },
    async close() {
      for (const cleanUp of cleanUps.reverse()) await cleanUp()
      vitals.watch(undefined)
      const code = await service.stop()
      await vitals.close()
      cgroup?.remove()
      rmSync(folder, { recursive: true, force: true })
      return code
    }
  }
}

/** Section by section. */
function merged(base: SettingsFile, more: SettingsFile): SettingsFile {
  const result: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(more)) {
    const before = result[key]
    result[key] = isSection(before) && isSection(value) ? { ...before, ...value } : value
  }
  return result
}

const isSection = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Replaces `{name}` in every text. */
function fill<T extends object>(texts: T, data: Readonly<Record<string, string | number>>): T {
  let filled = JSON.stringify(texts)
  for (const [name, value] of Object.entries(data)) filled = filled.replaceAll(`{${name}}`, String(value))
  return JSON.parse(filled) as T
}

/** Ports on loopback where nobody listens yet. */
async function freePorts(names: readonly string[]): Promise<Map<string, number>> {
  const servers = names.map(() => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return new Map(names.map((name, i) => [name, ports[i] as number]))
}
