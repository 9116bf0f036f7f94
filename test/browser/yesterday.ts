import { createExplainer, explainSection, explainSettings } from '../../src/explain/index.ts'
import { type Resources } from '../../src/model/spans.ts'
import { createSavedState } from '../../src/programs/serve/saved-state.ts'
import { createStrings } from '../../src/runtime/strings.ts'
import { decompositionOf, type RequestSketch } from '../builders/decompositions.ts'
import { createRandom } from '../builders/random.ts'

const MINUTE_MS = 60_000
const MINUTES = 25 * 60
/** The version that made it slow came so long ago. */
const ROLLED_OUT_MINUTES = 100
const VERSIONS = ['2.13.2', '2.14.0'] as const

/** A day of `gateway POST /buy`, as a service that was stopped a minute ago would have saved it. */
export async function writeYesterday(directory: string, nowMs: number): Promise<void> {
  const strings = createStrings({ stringsMax: 1_000, bytesMax: 1 << 16, stringBytesMax: 256, seed: 1 })
  const [service, operation] = [strings.internText('gateway'), strings.internText('POST /buy')]
  const resources: Resources & { version: Uint32Array } = {
    rows: 2,
    service: Uint32Array.of(0, service),
    process: new Uint32Array(2),
    host: new Uint32Array(2),
    version: new Uint32Array(2),
    language: new Uint8Array(2)
  }
  const explainer = createExplainer(explainSettings(explainSection.parse({})), { strings, resources })
  const random = createRandom(5)
  const endMs = Math.floor(nowMs / MINUTE_MS - 1) * MINUTE_MS
  for (let minute = MINUTES; minute > 0; minute--) {
    const startMs = endMs - minute * MINUTE_MS
    const slow = minute <= ROLLED_OUT_MINUTES
    resources.version[1] = strings.internText(VERSIONS[slow ? 1 : 0])
    explainer.tick(startMs)
    // More by day than by night.
    const requests = Math.round(60 + 30 * Math.sin((startMs / (24 * 60 * MINUTE_MS)) * 2 * Math.PI))
    const drawn = Array.from({ length: requests }, () => ({ service, operation, ...draw(random, slow) }))
    explainer.consume(decompositionOf({ requests: drawn, spans: requests }), startMs + 5_000)
    for (let tick = 0; tick < 10; tick++) explainer.tick(startMs + 10_000 + tick)
  }
  explainer.shutdown(endMs)
  const log = (): void => undefined
  const saved = createSavedState(
    { directory, everyMs: 1e9, nowMs: () => endMs, version: 'of the test', log: { info: log, error: log } },
    {
      learned: () => ({
        decompose: { schema: 'tailspan.learned.decompose/1', bodies: [], edges: [], clocks: [] },
        // Its thresholds are not those of the shop, which has the same operation.
        explain: { thresholds: [], streams: [] }
      }),
      history: explainer.history.save,
      restore: () => undefined
    }
  )
  await saved.close()
}

/** Mostly waiting for peers; one in fifty stumbles, and since the roll-out over a pool that is too small. */
function draw(random: () => number, slow: boolean): RequestSketch {
  const around = (ms: number): number => Math.round(ms * 1e6 * (0.6 + 0.5 * random() + 0.3 * random()))
  const stumbles = random() < 0.02
  const phases = {
    downstream: around(9) + (stumbles ? around(24) : 0),
    network: around(1.1),
    gc: stumbles ? around(4) : 0,
    queue_wait: stumbles && slow ? around(55) : 0
  }
  const sum = Object.values(phases).reduce((all, ns) => all + ns, 0)
  return { phases, durationNs: sum + around(2.5), outcome: random() < 0.004 ? 1 : 0 }
}
