import { isDeepStrictEqual } from 'node:util'
import { getHeapStatistics } from 'node:v8'
import { openAccess, type Access } from '../access/index.ts'
import { createAcceptor, type AcceptNext, createRedaction, redacted, withoutIdentifiers } from '../accept/index.ts'
import { budgetWarnings } from '../explain/index.ts'
import { createDurability, type CountedTrace, type Durability, type ReplayTarget } from '../durability/index.ts'
import {
  createDestinations,
  createQueueFolders,
  type DestinationsTools,
  type ForwarderTools,
  refuseLoops,
  waitsForTraces
} from '../forward/index.ts'
import { createExposer, type ExposeSources, type ExposeTools } from '../expose/index.ts'
import { type DestinationState } from '../model/forwarding.ts'
import { type HeldBytes } from '../model/memory.ts'
import { Fault } from '../runtime/fault.ts'
import { createCounters } from '../runtime/counters.ts'
import { createLog, type Log } from '../runtime/log.ts'
import { memoryAllowance } from '../runtime/memory-limit.ts'
import { createSteadyClock } from '../runtime/steady-clock.ts'
import { startTelemetry, telemetryOff, type Address, type Telemetry } from '../runtime/telemetry.ts'
import { addressWarnings } from '../settings/addresses.ts'
import { type Environment } from '../settings/expand.ts'
import { fitToMemory } from '../settings/memory-fit.ts'
import { MEMORY_MIN_BYTES, type Settings } from '../settings/settings.ts'
import { createMemoryWatch } from './serve/memory-watch.ts'
import { createSavedState, type PipelineState, type SavedState } from './serve/saved-state.ts'
import { readSettings } from './settings-file.ts'

/** What the service needs of the pipeline. */
export interface ServedPipeline {
  readonly accept: AcceptNext
  readonly sources: Omit<ExposeSources, 'destinations' | 'ready' | 'pressure' | 'version' | 'startedMs' | 'otlpPorts'>
  readonly names: Pick<ExposeTools, 'strings' | 'resources'>
  /** What survives a restart. */
  readonly state: PipelineState
  /** All that each other thread holds. */
  readonly threadMemory: () => readonly HeldBytes[]
  /** Resolves once it can take bodies. */
  readonly ready: () => Promise<void>
  /** Does a bounded slice of work; gives the number of traces that it closed. */
  readonly tick: (nowMs: number) => number
  /** Gives back what is kept without need. */
  readonly trim: () => void
  /** Lets go of about so many bytes. */
  readonly relieve: (bytes: number, nowMs: number) => void
  /** What was forwarded is delivered, and its memory may be used again. */
  readonly reuse: (bytes: Buffer) => void
  /** Hands to `forward` what waits for more. */
  readonly flush: () => void
  /** Users' rules from now on. Throws BAD_SETTINGS, and then the old ones stay. */
  readonly setRules: (rules: Settings['decompose']['rules']) => void
  /** Latency budgets from now on. */
  readonly setBudgets: (budgets: Settings['explain']['budgets']) => void
  /** Closes and counts every open trace. */
  readonly shutdown: (nowMs: number) => Promise<void>
  /** Ends without that: the segment log has what is open. */
  readonly suspend: (nowMs: number) => void
  readonly replay: ReplayTarget | undefined
  readonly oldestUncounted: () => number
}

interface PipelineTools {
  readonly log: Log
  readonly nowMs: () => number
  readonly seed: number
  readonly counted: (trace: CountedTrace, shownMs: number) => void
  readonly forward: ForwarderTools['next']
}

export interface ServeOptions {
  readonly configFile: string | undefined
  readonly env: Environment
  readonly version: string
  readonly buildPipeline: (settings: Settings, tools: PipelineTools) => ServedPipeline
  readonly print: (line: string) => void
  /** Ends the process without ceremony. */
  readonly exit: (code: number) => void
}

const TICK_MS = 50

const Reload = { ok: 0, refused: 1 } as const
export const serveCounters = {
  tail_settings_reloads_total: {
    help: 'Times that the settings file was read again because of SIGHUP. Of a refused one nothing is in force; the log says why.',
    label: 'result',
    values: Object.keys(Reload)
  }
}

/** Runs the service until a signal ends it. Throws BAD_SETTINGS before anything listens, BUSY when a port is taken. */
export async function serve(options: ServeOptions): Promise<void> {
  const asked = readSettings(options.configFile, options.env)
  const log = createLog(asked.log.level)
  const limitBytes = memoryLimit(asked)
  const { settings, warnings } = fitToMemory(asked, limitBytes)
  for (const warning of [...warnings, ...heapWarnings(limitBytes)]) log.warn(warning)
  const access = await openAccess(doorsOf(settings), log)
  const service = createService({ asked, settings, limitBytes, access }, options, log)
  const listening = await service.listen()
  const ended = firstSignal(options.exit)
  const reload = (): void => {
    service.reload()
  }
  process.on('SIGHUP', reload)
  const { grpc, http, metrics } = listening
  options.print(`ready otlp_grpc=${spell(grpc)} otlp_http=${spell(http)} metrics=${spell(metrics)}`)
  log.info({ version: options.version, ...listening }, 'ready')
  for (const warning of addressWarnings(settings)) log.warn(warning)
  warnOfBudgets(settings, log)
  await service.observe([grpc, http, metrics])
  const signal = await ended
  log.info({ signal }, 'closing: no new spans; open traces are counted; a second signal ends at once')
  await service.close()
  process.off('SIGHUP', reload)
  log.info('closed')
}

interface Service {
  readonly listen: () => Promise<{ grpc: Address; http: Address; metrics: Address }>
  /** Turns own spans on, if they are wanted. */
  readonly observe: (listening: readonly Address[]) => Promise<void>
  /** Reads the settings file again. What cannot be changed while the service runs stays as it was at the start. */
  readonly reload: () => void
  readonly close: () => Promise<void>
}

/** Settings as the file has them, and as they fit into the memory there is. */
interface InForce {
  readonly asked: Settings
  readonly settings: Settings
  readonly limitBytes: number
  readonly access: Access
}

function createService({ asked, settings, limitBytes, access }: InForce, options: ServeOptions, log: Log): Service {
  const nowMs = createSteadyClock(Date.now, () => performance.now())
  const startedMs = nowMs()
  let telemetry: Telemetry = telemetryOff
  let timer: NodeJS.Timeout | undefined
  let otlpPorts = { grpc: settings.accept.grpcPort, http: settings.accept.httpPort }
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number
  const counters = createCounters(serveCounters)
  let ready = false
  const durability = createDurability(settings.durability, {
    nowMs,
    log,
    synced(ms) {
      exposer.observeLogSyncMs(ms)
    }
  })
  const destinations = createDestinations(settings.forward.destinations, {
    log,
    nowMs,
    random: Math.random,
    delivered(bytes) {
      pipeline.reuse(bytes)
    },
    queues: forwardQueues(settings)
  })
  const redaction = createRedaction(settings.redaction)
  const pipeline = options.buildPipeline(settings, {
    log,
    nowMs,
    seed,
    counted: durability.counted,
    forward: destinations.offer
  })
  const saved = savedState(settings, { log, nowMs, version: options.version }, pipeline.state)
  const acceptor = createAcceptor(
    settings.accept,
    { log, nowMs, random: Math.random, guard: access.guard, tls: access.otlp },
    observed(redacted(kept(pipeline.accept), redaction))
  )
  const memory = createMemoryWatch({
    limitBytes,
    otherThreads: pipeline.threadMemory().length,
    heldByOthers: pipeline.threadMemory,
    stages: () => ({
      ...pipeline.sources.memory(),
      ...acceptor.memory(),
      ...destinations.memory(),
      segment_log: durability.bytes()
    }),
    trim: pipeline.trim,
    relieve(bytes) {
      pipeline.relieve(bytes, nowMs())
    },
    log
  })
  const exposer = createExposer(
    settings.expose,
    { ...pipeline.names, nowMs, log, guard: access.guard, tls: access.metrics },
    {
      ...pipeline.sources,
      counters: [
        ...pipeline.sources.counters,
        acceptor.counters,
        access.counters,
        ...(redaction === undefined ? [] : [redaction.counters]),
        counters,
        memory.counters,
        durability.counters,
        destinations.counters,
        ...(saved === undefined ? [] : [saved.counters])
      ],
      memory: memory.held,
      pressure: () => ({ causes: memory.causes(), memoryLimitBytes: limitBytes }),
      destinations: destinations.states,
      ready: () => ready,
      warnings: () => warnings(durability, destinations.states()),
      scrape: durability.scrape,
      durability: durability.state,
      version: options.version,
      startedMs,
      otlpPorts: () => otlpPorts
    }
  )
  traceScrapes(exposer.app, () => telemetry)

  /** Writes each request down, where that is wanted. */
  function kept(accept: AcceptNext): AcceptNext {
    const keep =
      (signal: 'traces' | 'metrics'): AcceptNext['traces'] =>
      (body, encoding) =>
        durability.keep({ signal, encoding }, body, (sequence) => accept[signal](body, encoding, sequence))
    return { traces: keep('traces'), metrics: keep('metrics'), admission: durability.admission }
  }

  /** Tells how long each request took, and lets it be a span of ours. */
  function observed(accept: AcceptNext): AcceptNext {
    const watch =
      (signal: 'traces' | 'metrics'): AcceptNext['traces'] =>
      (body, encoding) => {
        const startMs = performance.now()
        const attributes = { 'tailspan.encoding': encoding, 'tailspan.body_bytes': body.length }
        const verdict = telemetry.trace(`accept ${signal}`, attributes, () => accept[signal](body, encoding))
        exposer.observeIngestMs(performance.now() - startMs)
        return verdict
      }
    return {
      traces: watch('traces'),
      metrics: watch('metrics'),
      admission: () => memory.admission() ?? accept.admission()
    }
  }

  async function flush(): Promise<void> {
    pipeline.flush()
    await destinations.kept()
  }

  function tick(): void {
    const startMs = performance.now()
    try {
      const closed = pipeline.tick(nowMs())
      durability.tick(nowMs())
      destinations.tick()
      if (closed > 0) telemetry.record('close traces', { 'tailspan.traces': closed }, performance.now() - startMs)
    } catch (reason) {
      log.error({ err: reason }, 'a tick failed')
    }
  }

  return {
    async listen() {
      await pipeline.ready()
      await saved?.restore()
      const metrics = await exposer.listen().catch((reason: unknown) => cannotListen(settings.expose, reason))
      timer = setInterval(tick, TICK_MS)
      const stop = async (reason: unknown): Promise<never> => {
        clearInterval(timer)
        await exposer.close(0)
        throw reason
      }
      // First of all, because late spans of those traces must find them.
      await destinations.open().catch(stop)
      const { forward } = settings
      const passOn = forward.sends.length === 0 ? undefined : { atOnce: !waitsForTraces(forward), flush }
      await durability.open({ ...pipeline, passOn }).catch(stop)
      const { grpc, http } = await acceptor
        .listen()
        .catch((reason: unknown) =>
          stop(Fault.from(reason).code === 'BAD_SETTINGS' ? new Fault('BUSY', (reason as Error).message) : reason)
        )
      await refuseLoops(settings.forward.destinations, [grpc, http]).catch(async (reason: unknown) => {
        await acceptor.close(0)
        return stop(reason)
      })
      ready = true
      access.start()
      saved?.start()
      memory.start()
      otlpPorts = { grpc: grpc.port, http: http.port }
      return { grpc, http, metrics }
    },
    async observe(listening) {
      telemetry = await startTelemetry({ env: options.env, listening, log: plain(log) }).catch((reason: unknown) => {
        log.error({ err: reason }, 'own spans stay off')
        return telemetryOff
      })
    },
    reload() {
      void access.look()
      try {
        const wanted = readSettings(options.configFile, options.env)
        const { rules } = wanted.decompose
        const { budgets } = wanted.explain
        pipeline.setRules(rules)
        pipeline.setBudgets(budgets)
        warnOfBudgets(wanted, log)
        log.level = wanted.log.level
        counters.add('tail_settings_reloads_total', 1, Reload.ok)
        const inForce = { level: wanted.log.level, rules: rules.length, budgets: budgets.length }
        const needsRestart = whatNeedsRestart(asked, wanted)
        log.info({ ...inForce, needsRestart }, 'settings reloaded; what needsRestart names is not in force yet')
      } catch (reason) {
        counters.add('tail_settings_reloads_total', 1, Reload.refused)
        const problems = Fault.from(reason).message.split('\n')
        log.error({ problems }, 'settings not reloaded; the old ones stay in force')
      }
    },
    async close() {
      exposer.drain()
      access.close()
      await acceptor.close(settings.shutdown.drainTimeoutMs)
      clearInterval(timer)
      memory.stop()
      if (durability.holds()) pipeline.suspend(nowMs())
      else await pipeline.shutdown(nowMs())
      await destinations.close(settings.forward.drainTimeoutMs)
      await saved?.close()
      await exposer.close(settings.shutdown.lastScrapeWaitMs)
      await durability.close()
      await telemetry.shutdown()
    }
  }
}

function warnings(durability: Durability, destinations: readonly DestinationState[]): string[] {
  const log = 'the segment log cannot be written: what is taken is in memory only, or refused'
  const queue = (name: string): string =>
    `the queue of destination ${name} cannot be written: what comes waits in memory`
  return [
    ...(durability.state()?.degraded === true ? [log] : []),
    ...destinations.flatMap(({ name, disk }) => (disk?.degraded === true ? [queue(name)] : []))
  ]
}

/** What waits for destinations is as durable as what they get it from. */
function forwardQueues({ durability: { mode, directory, syncIntervalMs } }: Settings): DestinationsTools['queues'] {
  if (mode === 'off') return undefined
  return { folders: createQueueFolders(directory), syncEveryMs: mode === 'batch' ? 0 : syncIntervalMs }
}

/** Of what this process may come to use; the rest is for what no process can foresee. */
const AUTO_SHARE = 0.75

function memoryLimit({ memoryLimitBytes }: Settings): number {
  const { bytes, saidBy } = memoryAllowance()
  const limitBytes = memoryLimitBytes === 'auto' ? Math.floor(bytes * AUTO_SHARE) : memoryLimitBytes
  if (limitBytes >= MEMORY_MIN_BYTES && limitBytes <= bytes) return limitBytes
  const limit = `memory_limit is ${mebibytes(limitBytes)}`
  const there = `the ${saidBy} allows ${mebibytes(bytes)}`
  const problem =
    limitBytes > bytes
      ? `${limit}, but ${there}`
      : `${limit} (75 % of what ${there}), but it takes ${mebibytes(MEMORY_MIN_BYTES)}`
  throw new Fault('BAD_SETTINGS', problem)
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)}MiB`
}

/** V8 takes its own limit from the command line, before a line of ours runs: setting the flag later changes nothing. */
function heapWarnings(limitBytes: number): string[] {
  const heapBytes = getHeapStatistics().heap_size_limit
  if (heapBytes <= limitBytes) return []
  const wanted = Math.floor(limitBytes / 2 / 1024 ** 2)
  return [
    `V8 may let its heap grow to ${mebibytes(heapBytes)}, over memory_limit ${mebibytes(limitBytes)}; NODE_OPTIONS=--max-old-space-size=${wanted} makes it collect garbage in time`
  ]
}

function warnOfBudgets({ explain }: Settings, log: Log): void {
  for (const { at, text } of budgetWarnings(explain, { counted: withoutIdentifiers })) {
    log.warn(at === undefined ? text : `budgets[${at}]: ${text}`)
  }
}

function doorsOf({ access, accept, expose }: Settings): Parameters<typeof openAccess>[0] {
  return { access, otlpTls: accept.tls, metricsTls: expose.tls }
}

/** Only where the settings name a folder for it. */
function savedState(
  { dataDirectory: directory, dataIntervalMs: everyMs }: Settings,
  tools: { readonly log: Log; readonly nowMs: () => number; readonly version: string },
  state: PipelineState
): SavedState | undefined {
  return directory === '' ? undefined : createSavedState({ directory, everyMs, ...tools }, state)
}

/** Never more often than the telemetry lets through. */
function traceScrapes(app: ReturnType<typeof createExposer>['app'], telemetry: () => Telemetry): void {
  const ends = new WeakMap<object, () => void>()
  app.addHook('onRequest', (request, _reply, next) => {
    ends.set(request, telemetry().begin('answer', { 'url.path': request.url.split('?', 1)[0] ?? '' }))
    next()
  })
  app.addHook('onResponse', (request, _reply, next) => {
    ends.get(request)?.()
    next()
  })
}

/** What is in force at once, and what is only for `tailspan rules`. */
const neverNeedsRestart = new Set(['log', 'alerting'])

/** Sections that differ in more than what a reload changes: the level of the log, the rules and the budgets. */
function whatNeedsRestart(running: Settings, wanted: Settings): string[] {
  const fixed = ({ decompose, explain, ...others }: Settings): object => ({
    ...others,
    decompose: { ...decompose, rules: [] },
    explain: { ...explain, budgets: [] }
  })
  const now = new Map(Object.entries(fixed(running)))
  return Object.entries(fixed(wanted)).flatMap(([section, value]) =>
    neverNeedsRestart.has(section) || isDeepStrictEqual(value, now.get(section)) ? [] : [section]
  )
}

/** SIGTERM and SIGINT close the service; the second of them, or another SIGTERM, ends the process there and then. */
function firstSignal(exit: (code: number) => void): Promise<string> {
  return new Promise((resolve) => {
    let seen = 0
    const onSignal = (signal: NodeJS.Signals): void => {
      seen += 1
      if (seen === 1) resolve(signal)
      else exit(signal === 'SIGINT' ? 130 : 143)
    }
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  })
}

function cannotListen({ host, port }: Address, reason: unknown): never {
  throw new Fault('BUSY', `cannot listen on ${spell({ host, port })}: ${Fault.from(reason).message}`, { cause: reason })
}

function spell({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function plain(log: Log): { info: (text: string) => void; warn: (text: string) => void } {
  return {
    info: (text) => {
      log.info(text)
    },
    warn: (text) => {
      log.warn(text)
    }
  }
}
