import { type Cargo, createProtobufScan, createSplitter, groupBytes } from '../src/accept/index.ts'
import { createLoad } from '../test/builders/load.ts'
import { figureTable, median } from './table.ts'

const BODIES = 4_000
const ROUNDS = 5
const SECONDS_MAX = 0.5

/** CPU seconds for a million spans to be scanned, judged and copied to the cargo of their shard. */
function measure(shards: number): number {
  const load = createLoad({ format: 'protobuf', operations: 200, seed: 1, startMs: 1_760_000_000_000 })
  const bodies = Array.from({ length: load.bodies }, (_, i) => Uint8Array.from(load.body(0, i)))
  const { isPlain, found } = createProtobufScan({
    shards,
    seed: 7,
    limits: { futureMaxMs: Infinity, spanAgeMaxMs: Infinity }
  })
  const { split } = createSplitter(shards)
  const cargos = Array.from({ length: shards }, (): Cargo => ({
    bytes: new Uint8Array(1 << 20),
    length: 0,
    order: new Uint32Array(1 << 14),
    spans: 0
  }))
  const rounds: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const before = process.cpuUsage()
    let spans = 0
    for (let i = 0; i < BODIES; i++) {
      const body = bodies[i % bodies.length] as Uint8Array
      if (!isPlain(body, NaN)) throw new Error('the load is to be plain')
      if (groupBytes(found) > (1 << 20) / 2) throw new Error('more than a cargo holds')
      split(body, found, cargos, 0)
      spans += found.spans
      for (const cargo of cargos) cargo.length = cargo.spans = 0
    }
    const { user, system } = process.cpuUsage(before)
    // The first round is for the compiler.
    if (round > 0) rounds.push((user + system) / spans)
  }
  return median(rounds)
}

console.log(
  figureTable(
    [2, 4, 8].map((shards) => {
      const seconds = measure(shards)
      return {
        name: `scan and route to ${shards} shards, CPU s per million spans`,
        measured: seconds.toFixed(3),
        bound: `≤ ${SECONDS_MAX}`,
        met: seconds <= SECONDS_MAX
      }
    })
  )
)
