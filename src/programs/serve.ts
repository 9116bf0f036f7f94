import { isDeepStrictEqual } from 'node:util'
import { createAcceptor, type AcceptNext, withoutIdentifiers } from '../accept/index.ts'
import { budgetWarnings } from '../explain/index.ts'
import { createExposer, type ExposeSources, type ExposeTools } from '../expose/index.ts'
import { Fault } from '../runtime/fault.ts'
import { createCounters } from '../runtime/counters.ts'
import { createLog, type Log } from '../runtime/log.ts'
import { startTelemetry, telemetryOff, type Address, type Telemetry } from '../runtime/telemetry.ts'
import { type Environment } from '../settings/expand.ts'
import { type Settings } from '../settings/settings.ts'
import { createSavedState, type PipelineState, type SavedState } from './serve/saved-state.ts'
import { readSettings } from './settings-file.ts'

/** What the service needs of the pipeline. */
export interface ServedPipeline {
  readonly accept: AcceptNext
  readonly sources: Omit<ExposeSources, 'ready' | 'version' | 'startedMs' | 'otlpPorts'>
  readonly names: Omit<ExposeTools, 'nowMs' | 'log'>
  /** What survives a restart. */
  readonly state: PipelineState
  /** Does a bounded slice of work; gives the number of traces that it closed. */
  readonly tick: (nowMs: number) => number
  /** Users' rules from now on. Throws BAD_SETTINGS, and then the old ones stay. */
  readonly setRules: (rules: Settings['decompose']['rules']) => void
  /** Latency budgets from now on. */
  readonly setBudgets: (budgets: Settings['explain']['budgets']) => void
  /** Closes and counts every open trace. */
  readonly shutdown: (nowMs: number) => void
}

export interface ServeOptions {
  readonly configFile: string | undefined
  readonly env: Environment
  readonly version: string
  readonly buildPipeline: (settings: Settings, tools: { log: Log; nowMs: () => number; seed: number }) => ServedPipeline
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
  const settings = readSettings(options.configFile, options.env)
  const log = createLog(settings.log.level)
  const service = createService(settings, options, log)
  const listening = await service.listen()
  const ended = firstSignal(options.exit)
  const reload = (): void => {
    service.reload()
  }
  process.on('SIGHUP', reload)
  const { grpc, http, metrics } = listening
  options.print(`ready otlp_grpc=${spell(grpc)} otlp_http=${spell(http)} metrics=${spell(metrics)}`)
  log.info({ version: options.version, ...listening }, 'ready')
  if (settings.insecure)
    log.warn('insecure: true, so whoever reaches these addresses may send spans and read every name')
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

function createService(settings: Settings, options: ServeOptions, log: Log): Service {
  const nowMs = Date.now
  const startedMs = nowMs()
  let telemetry: Telemetry = telemetryOff
  let timer: NodeJS.Timeout | undefined
  let otlpPorts = { grpc: settings.accept.grpcPort, http: settings.accept.httpPort }
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number
  const counters = createCounters(serveCounters)
  const pipeline = options.buildPipeline(settings, { log, nowMs, seed })
  const saved = savedState(settings, { log, nowMs, version: options.version }, pipeline.state)
  const acceptor = createAcceptor(settings.accept, { log, nowMs, random: Math.random }, observed(pipeline.accept))
  const exposer = createExposer(
    settings.expose,
    { ...pipeline.names, nowMs, log },
    {
      ...pipeline.sources,
      counters: [
        ...pipeline.sources.counters,
        acceptor.counters,
        counters,
        ...(saved === undefined ? [] : [saved.counters])
      ],
      memory: () => ({ ...pipeline.sources.memory(), ...acceptor.memory() }),
      ready: () => timer !== undefined,
      version: options.version,
      startedMs,
      otlpPorts: () => otlpPorts
    }
  )
  traceScrapes(exposer.app, () => telemetry)

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
    return { traces: watch('traces'), metrics: watch('metrics'), admission: accept.admission }
  }

  function tick(): void {
    const startMs = performance.now()
    try {
      const closed = pipeline.tick(nowMs())
      if (closed > 0) telemetry.record('close traces', { 'tailspan.traces': closed }, performance.now() - startMs)
    } catch (reason) {
      log.error({ err: reason }, 'a tick failed')
    }
  }

  return {
    async listen() {
      await saved?.restore()
      const metrics = await exposer.listen().catch((reason: unknown) => cannotListen(settings.expose, reason))
      const { grpc, http } = await acceptor.listen().catch(async (reason: unknown) => {
        await exposer.close(0)
        throw Fault.from(reason).code === 'BAD_SETTINGS' ? new Fault('BUSY', (reason as Error).message) : reason
      })
      timer = setInterval(tick, TICK_MS)
      saved?.start()
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
        const needsRestart = whatNeedsRestart(settings, wanted)
        log.info({ ...inForce, needsRestart }, 'settings reloaded; what needsRestart names is not in force yet')
      } catch (reason) {
        counters.add('tail_settings_reloads_total', 1, Reload.refused)
        const problems = Fault.from(reason).message.split('\n')
        log.error({ problems }, 'settings not reloaded; the old ones stay in force')
      }
    },
    async close() {
      exposer.drain()
      await acceptor.close(settings.shutdown.drainTimeoutMs)
      clearInterval(timer)
      pipeline.shutdown(nowMs())
      await saved?.close()
      await exposer.close(settings.shutdown.lastScrapeWaitMs)
      await telemetry.shutdown()
    }
  }
}

function warnOfBudgets({ explain }: Settings, log: Log): void {
  for (const { at, text } of budgetWarnings(explain, { counted: withoutIdentifiers })) {
    log.warn(at === undefined ? text : `budgets[${at}]: ${text}`)
  }
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
