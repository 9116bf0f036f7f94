/** The shop as a container: it runs until it is told to stop, and has another trouble every two minutes. */
import { buildShop } from '../../examples/shop/build.ts'
import { type CauseName } from '../../examples/shop/causes.ts'
import { runShop } from '../../examples/shop/shop.ts'

/** One of each phase that can go wrong, and a quiet spell to come back to. */
const troubles: readonly CauseName[] = ['none', 'queue', 'gc', 'tokio-stall', 'db-pool', 'slow-dependency', 'allocator']
const TROUBLE_SECONDS = 120
const RATE = 60
const SEED = 1

const { OTLP_GRPC: grpc = '127.0.0.1:4317', OTLP_HTTP: http = '127.0.0.1:4318' } = process.env

if (process.argv.includes('--build-only')) buildShop(console.log)
else {
  for (let turn = 0; ; turn++) {
    const cause = troubles[turn % troubles.length] ?? 'none'
    console.log(`the next ${TROUBLE_SECONDS} seconds: ${cause}`)
    await runShop({
      cause,
      level: 'companion',
      seed: SEED + turn,
      seconds: TROUBLE_SECONDS,
      rate: RATE,
      endpoints: { grpc, http },
      say: console.log
    })
  }
}
