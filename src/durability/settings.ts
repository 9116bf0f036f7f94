import { z } from 'zod'
import { durationMs, section, shareRatio, sizeBytes } from '../runtime/setting-kinds.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3
const within = (kind: z.ZodType<number, string>, [min, max]: readonly [number, number], expected: string) =>
  kind.refine((value) => value >= min && value <= max, `expected ${expected}`)

export const durabilityModes = ['off', 'interval', 'batch'] as const
export type DurabilityMode = (typeof durabilityModes)[number]

export const durabilityMode = z
  .enum(durabilityModes)
  .default('off')
  .describe(
    'What an answer to a sender promises. off: in memory; a crash loses open traces and what was not scraped. interval: written to segment_log.directory; survives the process, and a power cut loses at most segment_log.sync_interval. batch: on disk; survives both.'
  )

export const segmentLogSection = section({
  directory: z
    .string()
    .max(4_096)
    .default('')
    .describe(
      'Where requests are kept until their traces are counted and scraped, and in forward/<name> what waits for a destination: a folder of this service alone, made if it is missing. Needed unless durability is off.'
    ),
  segment_bytes: within(sizeBytes, [MIB, GIB], '1MiB to 1GiB')
    .default(64 * MIB)
    .describe(
      'A file of the log is closed at this size, and written over or removed when nothing in it is needed any more.'
    ),
  bytes_max: within(sizeBytes, [16 * MIB, 1024 * GIB], '16MiB to 1024GiB')
    .default(4 * GIB)
    .describe(
      'All files together; up to an eighth of it are files kept to be written over. Over it on_error says what happens: degrade gives up the oldest file, refuse takes nothing new. A trace that stays open keeps every file since its first span.'
    ),
  free_share_min: within(shareRatio, [0, 0.9], '0% to 90%')
    .default(0.05)
    .describe('Share of the file system that must stay free for others. Looked at when a file is begun.'),
  gather: within(durationMs, [0, 5], '0ms to 5ms')
    .default(2)
    .describe(
      'The least time from one write to the next: requests that come meanwhile are written and synced together. Longer costs less and answers later.'
    ),
  waiting_bytes_max: within(sizeBytes, [MIB, GIB], '1MiB to 1GiB')
    .default(64 * MIB)
    .describe(
      'Memory for requests that wait until they are written, while the disk is slow: more are refused until then. As much for the queue of each destination.'
    ),
  sync_interval: within(durationMs, [10, 60_000], '10ms to 1m')
    .default(1_000)
    .describe('How often what was written is synced, with durability interval.'),
  on_error: z
    .enum(['degrade', 'refuse'])
    .default('degrade')
    .describe(
      'When the disk is full or fails. degrade: go on in memory only, visibly (tail_log_degraded, a warning on /healthz). refuse: answer 503 or UNAVAILABLE until it works. Both try again every second.'
    ),
  replay_age_max: durationMs
    .default(10 * 60_000)
    .describe(
      'After an outage longer than this what was waiting is not counted: counters would show old requests as if they were of now. Raise it where every request must be counted, however late.'
    ),
  unscraped_max: within(durationMs, [1_000, 86_400_000], '1s to 1d')
    .default(5 * 60_000)
    .describe(
      'What was counted is counted again after a crash unless it was scraped. Without any scrape for this long nobody reads, and it is taken as read.'
    )
})

export interface DurabilitySettings {
  readonly mode: DurabilityMode
  readonly directory: string
  readonly segmentBytes: number
  readonly bytesMax: number
  readonly freeShareMin: number
  readonly gatherMs: number
  readonly waitingBytesMax: number
  readonly syncIntervalMs: number
  readonly onError: 'degrade' | 'refuse'
  readonly replayAgeMaxMs: number
  readonly unscrapedMaxMs: number
}

export function durabilitySettings(
  mode: DurabilityMode,
  parsed: z.output<typeof segmentLogSection>
): DurabilitySettings {
  return {
    mode,
    directory: parsed.directory,
    segmentBytes: parsed.segment_bytes,
    bytesMax: parsed.bytes_max,
    freeShareMin: parsed.free_share_min,
    gatherMs: Math.floor(parsed.gather),
    waitingBytesMax: parsed.waiting_bytes_max,
    syncIntervalMs: parsed.sync_interval,
    onError: parsed.on_error,
    replayAgeMaxMs: parsed.replay_age_max,
    unscrapedMaxMs: parsed.unscraped_max
  }
}
