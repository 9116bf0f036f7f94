import { pause } from '../builders/live-service.ts'
import { type Bed } from './scenario.ts'
import { openRaw, type RawConnection, settings } from './senders/raw-http2.ts'

export interface AttackFacts {
  readonly connections: number
  readonly frames: number
  /** Connections that the service ended, by the last code it gave; 'none' where it just closed. */
  readonly ended: Readonly<Record<string, number>>
  /** Connections that the service had not ended when they were watched no longer. */
  readonly left: number
}

export interface Attack {
  /** Bytes to begin with, after the preface. */
  readonly first?: Buffer
  /** The next piece to write, and how many frames are in it; undefined = enough, only hold the connection open. */
  readonly next: (turn: number, connection: RawConnection) => { bytes: Buffer; frames: number } | undefined
}

const RECONNECT_MS = 20
const HOLD_LOOK_MS = 100

interface AttackPlan {
  readonly connections: number
  readonly forMs: number
  /** How long after that a connection is still watched, until the service has ended it; none = it is closed at once. */
  readonly endsWithinMs?: number
  readonly make: () => Attack
}

/** The same on so many connections at once, for so long; one that the service ends is opened anew. */
export async function attack(
  bed: Bed,
  { connections, forMs, endsWithinMs = 0, make }: AttackPlan
): Promise<AttackFacts> {
  const endMs = performance.now() + forMs
  const ended: Record<string, number> = {}
  const facts = { connections: 0, frames: 0, left: 0 }
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (performance.now() < endMs) {
        const plan = make()
        const connection = await openRaw(bed.service.grpc, plan.first ?? settings())
        if (connection === undefined) {
          await pause(RECONNECT_MS)
          continue
        }
        facts.connections += 1
        facts.frames += await pour(connection, plan, endMs)
        while (connection.isOpen() && performance.now() < endMs + endsWithinMs) await pause(HOLD_LOOK_MS)
        if (connection.isOpen()) {
          facts.left += 1
        } else {
          const code = codeNames[connection.goaways.at(-1) ?? -1] ?? 'none'
          ended[code] = (ended[code] ?? 0) + 1
        }
        connection.close()
        await pause(RECONNECT_MS)
      }
    })
  )
  return { ...facts, ended }
}

/** What was opened is attacked once at least, or its end would be waited for in vain. */
async function pour(connection: RawConnection, plan: Attack, endMs: number): Promise<number> {
  let frames = 0
  for (let turn = 0; (turn === 0 || performance.now() < endMs) && connection.isOpen(); turn++) {
    const piece = plan.next(turn, connection)
    if (piece === undefined) {
      await pause(HOLD_LOOK_MS)
      continue
    }
    if (!(await withinEnd(connection.send(piece.bytes), endMs))) break
    frames += piece.frames
    // A write that is taken at once leaves no turn to read what the other side says.
    if (turn % 16 === 15) await pause(0)
  }
  return frames
}

/** A connection that takes nothing more is not waited for beyond the end. */
function withinEnd(sent: Promise<boolean>, endMs: number): Promise<boolean> {
  const late = pause(Math.max(0, endMs - performance.now())).then(() => false)
  return Promise.race([sent, late])
}

const codeNames: Readonly<Record<number, string>> = {
  0: 'NO_ERROR',
  1: 'PROTOCOL_ERROR',
  2: 'INTERNAL_ERROR',
  3: 'FLOW_CONTROL_ERROR',
  5: 'STREAM_CLOSED',
  6: 'FRAME_SIZE_ERROR',
  9: 'COMPRESSION_ERROR',
  11: 'ENHANCE_YOUR_CALM'
}

export function attackSummary({ connections, frames, ended, left }: AttackFacts): string {
  const ends = Object.entries(ended).map(([code, count]) => `${count} with ${code}`)
  return `${frames} frames on ${connections} connections; the service ended ${ends.length > 0 ? ends.join(', ') : 'none'}, ${left} were left`
}
