import { z } from 'zod'

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3 }
const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9
}

function quantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(text)
  const unit = match?.[2] === undefined ? undefined : units[match[2]]
  return match?.[1] === undefined || unit === undefined ? undefined : Number(match[1]) * unit
}

function share(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text)
  // As a decimal, because 0.7 / 100 is not quite 0.007.
  return match?.[1] === undefined ? undefined : Number(`${match[1]}e-2`)
}

function quantityKind(what: string, read: (text: string) => number | undefined): z.ZodType<number, string> {
  return z.string().transform((text, context) => {
    const value = read(text)
    if (value !== undefined) return value
    context.addIssue({ code: 'custom', message: `expected ${what}, got ${JSON.stringify(text)}` })
    return z.NEVER
  })
}

/** `8s`, `250ms`, `15m` to milliseconds. */
export const durationMs = quantityKind('a duration like 250ms, 8s, 15m or 1h', (text) => quantity(text, durationUnits))

/** `64MiB`, `512KiB`, `1GB` to bytes. */
export const sizeBytes = quantityKind('a size like 512KiB, 64MiB or 1GB', (text) => quantity(text, sizeUnits))

/** `1%`, `0.05%` to a ratio. */
export const shareRatio = quantityKind('a share like 5%, 1% or 0.1%', share)

/** A section of the settings file: unknown keys are refused, absent ones take their default. */
export const section = z.strictObject
