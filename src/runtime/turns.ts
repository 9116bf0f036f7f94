const BODY_WAIT_MS = 50
const CLOSING_WAIT_MS = 500

/**
 * How long a turn of the main thread may be spent on bodies, ms, when the first that waits has waited for so long. Who waits for an
 * answer waits through others' turns, so each is as short as whoever it is for can wait; longer turns cost less.
 */
export function bodyTurnMs(waitedMs: number): number {
  return waitedMs > BODY_WAIT_MS ? 4 : 1
}

/**
 * The same for traces that are due, and for those that were held: nobody waits for them before they are counted late. Then they have
 * twice the time of bodies: where there is more work than time, no more is taken than can be counted.
 */
export function closingTurnMs(waitedMs: number): number {
  return waitedMs > CLOSING_WAIT_MS ? 8 : 0.5
}
