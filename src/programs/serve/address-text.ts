import { type Address } from '../../runtime/telemetry.ts'

/** As URLs have it. */
export function spell({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
