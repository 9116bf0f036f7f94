export const pressureCauses = ['memory', 'resident', 'event_loop'] as const
/** What there is too much of: bytes held, pages of the process, or work for its thread. */
export type PressureCause = (typeof pressureCauses)[number]

/** Shares of the limit. Between on and off nothing changes, so that the answer does not flicker. */
const HELD_ON = 0.8
const HELD_OFF = 0.75
const HELD_HARD = 0.95
const RESIDENT_OFF = 0.95
/** Pages over the limit that stay although little is held were freed, and are used again before the process grows: they are no reason to refuse for ever. */
const RESIDENT_LOOKS = 100
const RESIDENT_MARGIN = 1.02
const RESIDENT_MAX = 1.2
/** How late a look must be, and so many in a row: one body or one collection of garbage is no pressure. */
const LATE_ON_MS = 500
const LATE_OFF_MS = 100
const LATE_LOOKS = 3

/** The process at one moment. */
export interface Sight {
  readonly heldBytes: number
  /** What of it waits to be used again: letting go of more would change nothing yet. */
  readonly spareBytes: number
  readonly residentBytes: number
  /** How much later than wanted this look came. */
  readonly lateMs: number
}

export interface Pressure {
  /** Takes a look; returns whether the causes are others than before. */
  readonly look: (sight: Sight) => boolean
  /** Why nothing new is taken; empty = all is well. */
  readonly causes: () => readonly PressureCause[]
  /** How much to let go of now: above the hard limit what is over the soft one, else nothing. */
  readonly bytesToFree: () => number
}

/**
 * Says when to take nothing new, and when to let go of what is there.
 *
 *   taking --held >= 80 %, resident >= 100 %, or late--> refusing --held < 75 %, resident < 95 %, and on time--> taking
 */
export function createPressure(limitBytes: number): Pressure {
  const isResident = createResidentGate(limitBytes)
  const isLate = createLateGate()
  let on: readonly PressureCause[] = []
  let bytesToFree = 0

  return {
    look(sight) {
      const { heldBytes, spareBytes } = sight
      const usedBytes = heldBytes - spareBytes
      const found: Record<PressureCause, boolean> = {
        memory: heldBytes >= (on.includes('memory') ? HELD_OFF : HELD_ON) * limitBytes,
        resident: isResident(sight),
        event_loop: isLate(sight)
      }
      bytesToFree = usedBytes >= HELD_HARD * limitBytes ? Math.ceil(usedBytes - HELD_ON * limitBytes) : 0
      const now = pressureCauses.filter((cause) => found[cause])
      const changed = now.join() !== on.join()
      on = now
      return changed
    },
    causes: () => on,
    bytesToFree: () => bytesToFree
  }
}

function createResidentGate(limitBytes: number): (sight: Sight) => boolean {
  let markBytes = limitBytes
  let looks = 0
  let on = false
  return ({ heldBytes, residentBytes }) => {
    if (residentBytes < RESIDENT_OFF * limitBytes) markBytes = limitBytes
    on = residentBytes >= (on ? RESIDENT_OFF : 1) * markBytes
    looks = on && heldBytes < HELD_OFF * limitBytes ? looks + 1 : 0
    if (looks < RESIDENT_LOOKS) return on
    looks = 0
    markBytes = Math.min(residentBytes * RESIDENT_MARGIN, limitBytes * RESIDENT_MAX)
    on = residentBytes >= markBytes
    return on
  }
}

function createLateGate(): (sight: Sight) => boolean {
  let late = 0
  let timely = 0
  let on = false
  return ({ lateMs }) => {
    late = lateMs >= LATE_ON_MS ? late + 1 : 0
    timely = lateMs < LATE_OFF_MS ? timely + 1 : 0
    on = on ? timely < LATE_LOOKS : late >= LATE_LOOKS
    return on
  }
}
