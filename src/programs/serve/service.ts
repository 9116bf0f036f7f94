import { type Access } from '../../access/index.ts'
import { type AcceptEnd, createAcceptor, createRedaction, redacted } from '../../accept/index.ts'
import { type CountedTrace, createDurability, type Durability, type ReplayTarget } from '../../durability/index.ts'
import {
  createDestinations,
  createQueueFolders,
  type DestinationsTools,
  type ForwarderTools,
  refuseLoops,
  waitsForTraces
} from '../../forward/index.ts'
import { createExposer, type ExposeSources, type ExposeTools } from '../../expose/index.ts'
import { type DestinationState } from '../../model/forwarding.ts'
import { type HeldBytes } from '../../model/memory.ts'
import { Fault } from '../../runtime/fault.ts'
import { type Log } from '../../runtime/log.ts'
import { createSteadyClock } from '../../runtime/steady-clock.ts'
import { type Address, startTelemetry, type Telemetry, telemetryOff } from '../../runtime/telemetry.ts'
import { type Environment } from '../../settings/expand.ts'
import { type Settings } from '../../settings/settings.ts'
import { readSettings } from '../settings-file.ts'
import { spell } from './address-text.ts'
import { kept, watched } from './intake.ts'
import { createMemoryWatch } from './memory-watch.ts'
import { createReload, type Reloadable } from './reload.ts'
import { createSavedState, type PipelineState, type SavedState } from './saved-state.ts'

/** What came in one turn closes in one turn, so nobody waits long for an answer: at 200,000 spans a second 2 ms, not 10. */
const TURN_MS = 10
const TURNS_A_TICK = 5

/** What the service needs of the pipeline. */
export interface ServedPipeline extends Reloadable {
  readonly accept: AcceptEnd
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
  /** A smaller slice of the same, between two ticks. */
  readonly closeDue: (nowMs: number) => number
  /** Whether that left something. */
  readonly due: (nowMs: number) => boolean
  /** Gives back what is kept without need. */
  readonly trim: () => void
  /** Lets go of about so many bytes. */
  readonly relieve: (bytes: number, nowMs: number) => void
  /** What was forwarded is delivered, and its memory may be used again. */
  readonly reuse: (bytes: Buffer) => void
  /** Hands to `forward` what waits for more; resolves to whether all of it was. */
  readonly flush: () => Promise<boolean>
  /** Closes and counts every open trace. */
  readonly shutdown: (nowMs: number) => Promise<void>
  /** Ends without that: the segment log has what is open. */
  readonly suspend: (nowMs: number) => Promise<void>
  readonly replay: ReplayTarget
  readonly oldestUncounted: () => number
}

export interface PipelineTools {
  readonly log: Log
  readonly nowMs: () => number
  readonly turnMs: () => number
  readonly seed: number
  readonly counted: (trace: CountedTrace, shownMs: number) => void
  readonly readAgain: Durability['readAgain'] | undefined
  readonly forward: ForwarderTools['next']
}

export interface ServiceOptions {
  readonly configFile: string | undefined
  readonly env: Environment
  readonly version: string
  readonly buildPipeline: (settings: Settings, tools: PipelineTools) => ServedPipeline
}

export interface Service {
  readonly listen: () => Promise<{ grpc: Address; http: Address; metrics: Address }>
  /** Turns own spans on, if they are wanted. */
  readonly observe: (listening: readonly Address[]) => Promise<void>
  /** Reads the settings file again. What cannot be changed while the service runs stays as it was at the start. */
  readonly reload: () => void
  readonly close: () => Promise<void>
}

/** Settings as the file has them, and as they fit into the memory there is. */
export interface InForce {
  readonly asked: Settings
  readonly settings: Settings
  readonly limitBytes: number
  readonly access: Access
}

export function createService(
  { asked, settings, limitBytes, access }: InForce,
  options: ServiceOptions,
  log: Log
): Service {
  const turnMs = (): number => performance.now()
  const nowMs = createSteadyClock(Date.now, turnMs)
  const startedMs = nowMs()
  let telemetry: Telemetry = telemetryOff
  let timer: NodeJS.Timeout | undefined
  let turns = 0
  /** Closing goes on once everything else that is ready has had its turn. */
  let goesOn: NodeJS.Immediate | undefined
  let otlpPorts = { grpc: settings.accept.grpcPort, http: settings.accept.httpPort }
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number
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
    turnMs,
    seed,
    counted: durability.counted,
    readAgain: settings.durability.mode === 'off' ? undefined : durability.readAgain,
    forward: destinations.offer
  })
  const saved = savedState(settings, { log, nowMs, version: options.version }, pipeline.state)
  const acceptor = createAcceptor(
    settings.accept,
    { log, nowMs, turnMs, random: Math.random, guard: access.guard, tls: access.otlp },
    watched(redacted(kept(pipeline.accept, durability), redaction), {
      telemetry: () => telemetry,
      tookMs(ms) {
        exposer.observeIngestMs(ms)
      },
      admission: () => memory.admission()
    })
  )
  const readAgain = (): Settings => readSettings(options.configFile, options.env)
  const settingsReload = createReload(asked, readAgain, pipeline, log)
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
        settingsReload.counters,
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

  async function flush(): Promise<boolean> {
    const isPassedOn = await pipeline.flush()
    await destinations.kept()
    return isPassedOn
  }

  function tick(): number {
    const closed = pipeline.tick(nowMs())
    durability.tick(nowMs())
    destinations.tick()
    return closed
  }

  function turn(): void {
    turns += 1
    if (turns % TURNS_A_TICK === 0) work(tick)
    else if (goesOn === undefined) work(() => pipeline.closeDue(nowMs()))
  }

  function work(slice: () => number): void {
    const startMs = performance.now()
    try {
      const closed = slice()
      if (closed > 0) telemetry.record('close traces', { 'tailspan.traces': closed }, performance.now() - startMs)
      if (pipeline.due(nowMs())) goesOn ??= setImmediate(goOn)
    } catch (reason) {
      log.error({ err: reason }, 'a tick failed')
    }
  }

  function goOn(): void {
    goesOn = undefined
    work(() => pipeline.closeDue(nowMs()))
  }

  function stopTurns(): void {
    clearInterval(timer)
    clearImmediate(goesOn)
  }

  return {
    async listen() {
      await pipeline.ready()
      await saved?.restore()
      const metrics = await exposer.listen().catch((reason: unknown) => cannotListen(settings.expose, reason))
      timer = setInterval(turn, TURN_MS)
      const stop = async (reason: unknown): Promise<never> => {
        stopTurns()
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
      settingsReload.reload()
    },
    async close() {
      exposer.drain()
      access.close()
      await acceptor.close(settings.shutdown.drainTimeoutMs)
      stopTurns()
      memory.stop()
      if (durability.holds()) await pipeline.suspend(nowMs())
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
function forwardQueues({ durability }: Settings): DestinationsTools['queues'] {
  const { mode, directory, syncIntervalMs, waitingBytesMax } = durability
  if (mode === 'off') return undefined
  return { folders: createQueueFolders(directory), syncEveryMs: mode === 'batch' ? 0 : syncIntervalMs, waitingBytesMax }
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

function cannotListen({ host, port }: Address, reason: unknown): never {
  throw new Fault('BUSY', `cannot listen on ${spell({ host, port })}: ${Fault.from(reason).message}`, { cause: reason })
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
