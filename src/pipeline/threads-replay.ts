import {
  type Cargo,
  createDecoderCounters,
  createSpanDecoder,
  type DecoderLimits,
  type DecoderTools,
  shardOf
} from '../accept/index.ts'
import { type Decomposer } from '../decompose/index.ts'
import { type Forwarder, type RowRequests } from '../forward/index.ts'
import { type LoggedRows } from '../model/logged.ts'
import { type HeldBack } from './held-back.ts'
import { type RoundKind, type ToShard } from './messages.ts'
import { createRouter } from './router.ts'
import { bytesOfRows, type PackedRows } from './rows.ts'
import { type ShardsReplay } from './shards.ts'

/** What comes from the log for one shard in one message. */
export interface Load {
  readonly message: Extract<ToShard, { kind: 'spans' | 'rows' }>
  readonly spans: number
  readonly length: number
}

export function loadOfCargo(cargo: Cargo, logged: LoggedRows | undefined, passedOn: boolean, nowMs: number): Load {
  const { bytes, length, order, spans } = cargo
  const buffers = { bytes: bytes.buffer, order: order.buffer }
  return { message: { kind: 'spans', ...buffers, length, spans, logged, passedOn, nowMs }, spans, length }
}

export function loadOfRows(rows: PackedRows, request: ArrayBuffer | undefined, sequence: number, nowMs: number): Load {
  return {
    message: { kind: 'rows', rows, request, sequence, nowMs },
    spans: rows.n,
    length: bytesOfRows(rows, request)
  }
}

export interface ThreadsReplayParts {
  readonly decoder: DecoderTools & { readonly limits: Pick<DecoderLimits, 'futureMaxMs' | 'spanAgeMaxMs'> }
  readonly decompose: Pick<Decomposer, 'wants'>
  readonly shards: number
  readonly seed: number
  /** Spans shared out so far, here and elsewhere. */
  readonly came: { spans: number }
  readonly forward: Forwarder | undefined
  readonly rowRequests: RowRequests | undefined
  /** Spans go on with their trace, so they wait for it again. */
  readonly waits: boolean
  /** Messages for shards that the log is not read for go nowhere. */
  readonly load: (shard: number, load: Load) => void
  readonly tell: (shard: number, message: ToShard) => void
  readonly heldBack: Pick<HeldBack, 'taken'>
  readonly round: (nowMs: number, kind: RoundKind) => Promise<void>
  /** What was found is counted. */
  readonly isDone: () => boolean
  readonly onEnded: () => void
}

/** Reads the segment log again for shards in threads: shares its bodies out as they were shared out at first, and goes on round by round. */
export function createThreadsReplay(parts: ThreadsReplayParts): ShardsReplay {
  const { shards, seed, came, forward } = parts
  let spans: ReturnType<typeof createSpanDecoder> | undefined
  let logMs = -Infinity
  let passedOn = false
  const recalled: number[][] = Array.from({ length: shards }, () => [])
  let recalls = 0
  const router = createRouter(
    { shards, seed, limits: parts.decoder.limits, came },
    {
      spans(shard, cargo, logged) {
        parts.load(shard, loadOfCargo(cargo, logged, passedOn, logMs))
      },
      rows(shard, rows, request, sequence) {
        parts.load(shard, loadOfRows(rows, request, sequence, logMs))
      },
      // As much as comes between two rounds there is always room for.
      admit: () => undefined
    }
  )

  function flush(): void {
    router.flush()
    if (recalls === 0) return
    recalls = 0
    for (const [shard, words] of recalled.entries()) {
      if (words.length > 0) parts.tell(shard, { kind: 'recall', traceIds: Uint32Array.from(words), nowMs: logMs })
      words.length = 0
    }
  }

  async function round(nowMs: number, kind: RoundKind): Promise<void> {
    flush()
    await parts.round(nowMs, kind)
  }

  return {
    begin(settled) {
      // What is read again was counted as taken by the process that took it.
      const uncounted = { ...parts.decoder, counters: createDecoderCounters() }
      spans = createSpanDecoder({ ...uncounted, wants: parts.decompose.wants() })
      for (let shard = 0; shard < shards; shard++) parts.tell(shard, { kind: 'replay', settled: settled.shared() })
    },
    take({ encoding, body, sequence, passedOn: before }) {
      // Whoever does not wait passes them on when they come, and has most of the time.
      const isPassedOn = before && !parts.waits
      if (isPassedOn !== passedOn || recalls > 0) flush()
      passedOn = isPassedOn
      parts.heldBack.taken(sequence)
      if (encoding === 'protobuf' && router.takeBytes(body, logMs, sequence)) return
      if (spans === undefined) return
      const refused = encoding === 'json' ? spans.decodeJson(body, logMs) : spans.decodeProtobuf(body, logMs)
      if (!passedOn) forward?.arrived({ body, encoding, ...refused }, spans.batch)
      router.takeRows(spans.batch, passedOn ? undefined : parts.rowRequests, sequence)
      if (!passedOn) parts.rowRequests?.end()
    },
    recall(traceId) {
      const [high, low] = [traceId[2] as number, traceId[3] as number]
      recalled[shardOf(high, low, { shards, seed })]?.push(...traceId)
      recalls += 1
    },
    goOn(atMs) {
      // What came before belongs to the time before.
      const over = round(atMs, 'replay')
      logMs = atMs
      return over
    },
    async end(nowMs) {
      await round(nowMs, 'replayed')
      if (!parts.isDone()) return false
      spans = undefined
      parts.onEnded()
      return true
    }
  }
}
