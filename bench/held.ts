import { type LiveService, pause, residentBytesOf, startService } from '../test/builders/live-service.ts'
import { digits, figureTable, markdownTable, mib } from './table.ts'
import { type LoadPlan, sendBlocks } from './under-load.ts'

const BLOCK_SPANS = 10_240
const WARM_UP_BLOCKS = 15
const STEPS = 4
const STEP_BLOCKS = 25
const BOUND_BYTES = 200

/** Memory of spans that wait for their trace to close: nothing closes in this run, so all that is sent is held. */
export async function held(): Promise<string> {
  const plan: LoadPlan = {
    transport: 'http',
    format: 'protobuf',
    gzip: false,
    operations: 200,
    warmUpSpans: 0,
    runSpans: 0,
    runs: 0
  }
  const service = await startService({ assemble: { quiet_time: '10m' }, expose: { zero_first: '0s' } })
  try {
    await sendBlocks(service, plan, { first: 0, blocks: WARM_UP_BLOCKS })
    const steps = [await measure(service, WARM_UP_BLOCKS)]
    for (let step = 0; step < STEPS; step++) {
      const first = WARM_UP_BLOCKS + step * STEP_BLOCKS
      await sendBlocks(service, plan, { first, blocks: STEP_BLOCKS })
      steps.push(await measure(service, first + STEP_BLOCKS))
    }
    const [first, last] = [steps[0], steps.at(-1)]
    if (first === undefined || last === undefined) throw new Error('no step was measured')
    const perSpan = (last.residentBytes - first.residentBytes) / (last.spans - first.spans)
    return [
      figureTable([
        {
          name: 'RSS growth per open span, whole process',
          measured: `${digits(perSpan)} bytes`,
          bound: `≤ ${BOUND_BYTES} bytes`,
          met: perSpan <= BOUND_BYTES
        }
      ]),
      markdownTable(
        ['open spans', 'RSS', 'tail_memory_bytes, all parts'],
        steps.map(({ spans, residentBytes, statedBytes }) => [digits(spans), mib(residentBytes), mib(statedBytes)])
      )
    ].join('\n\n')
  } finally {
    await service.stop()
  }
}

async function measure(
  service: LiveService,
  blocks: number
): Promise<{ spans: number; residentBytes: number; statedBytes: number }> {
  // Lets the garbage of the load go first.
  await pause(1_500)
  const exposition = await service.scrape()
  if (exposition.sum('tail_requests_total') !== 0) throw new Error('traces closed that should have stayed open')
  return {
    spans: blocks * BLOCK_SPANS,
    residentBytes: residentBytesOf(service.pid).nowBytes,
    statedBytes: exposition.sum('tail_memory_bytes')
  }
}
