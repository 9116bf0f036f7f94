import { openAccess } from '../access/index.ts'
import { createLog } from '../runtime/log.ts'
import { addressWarnings } from '../settings/addresses.ts'
import { fitToMemory } from '../settings/memory-fit.ts'
import { type Settings } from '../settings/settings.ts'
import { spell } from './serve/address-text.ts'
import { collectSeldom, heapWarnings, memoryLimit } from './serve/memory-limit.ts'
import { warnOfBudgets } from './serve/reload.ts'
import { createService, type ServiceOptions } from './serve/service.ts'
import { readSettings } from './settings-file.ts'

export interface ServeOptions extends ServiceOptions {
  readonly print: (line: string) => void
  /** Ends the process without ceremony. */
  readonly exit: (code: number) => void
}

/** Runs the service until a signal ends it. Throws BAD_SETTINGS before anything listens, BUSY when a port is taken. */
export async function serve(options: ServeOptions): Promise<void> {
  const asked = readSettings(options.configFile, options.env)
  const log = createLog(asked.log.level)
  const limitBytes = memoryLimit(asked)
  const settings = { ...fitToMemory(asked, limitBytes), memoryLimitBytes: limitBytes }
  for (const warning of heapWarnings(limitBytes)) log.warn(warning)
  collectSeldom(limitBytes, settings.workers)
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

function doorsOf({ access, accept, expose }: Settings): Parameters<typeof openAccess>[0] {
  return { access, otlpTls: accept.tls, metricsTls: expose.tls }
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
