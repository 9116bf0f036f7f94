import pino from 'pino'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** One JSON line per event; Fastify takes it as its logger. */
export type Log = pino.Logger

export interface LogTarget {
  readonly write: (line: string) => void
}

/** Writes to stdout, and at once: a line logged just before the process ends is not lost. */
export function createLog(level: LogLevel, target: LogTarget = pino.destination({ fd: 1, sync: true })): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) }
    },
    target
  )
}
