import { encodeJson, encodeProtobuf, patchJson, patchProtobuf, type Template } from './load-bytes.ts'
import { BODY_SPANS, planTrace, type PlannedSpan, serviceName, TRACES_PER_SERVICE } from './load-plan.ts'
import { createRandom } from './random.ts'

/**
 * OTLP trace bodies for load: each is encoded once and then only its ids and times are written anew, so that sending
 * costs far less CPU than receiving.
 *
 * One block is one body of 512 spans from each service, and 64 traces rooted at each service. A trace's spans are in
 * the bodies of three services, so no body ever holds a whole trace:
 *
 *   root     SERVER ── INTERNAL ── CLIENT ─┐
 *   middle                                 SERVER ── CLIENT ─┐
 *   leaf                                                     SERVER ─┬─ INTERNAL
 *                                                                    └─ CLIENT (database)
 */
export interface LoadShape {
  readonly format: 'protobuf' | 'json'
  /** Distinct operations over all services, 10 to 5,000. */
  readonly operations: number
  readonly seed: number
  /** Unix time of the first trace's start. */
  readonly startMs: number
}

export interface Load {
  readonly bodies: number
  readonly traces: number
  readonly spans: number
  /** The block's `index`-th body with the ids and times of that block; overwritten by the next call for this index. */
  readonly body: (block: number, index: number) => Uint8Array
  /** Requests of one block by `service operation`. */
  readonly requests: ReadonlyMap<string, number>
}

/** A service has 192 requests a block: more operations than that need more services. */
const SPREAD_WIDER = 3000

const ROOT_NS = 40_000_000

export function createLoad(shape: LoadShape): Load {
  const services = shape.operations > SPREAD_WIDER ? 40 : Math.min(20, shape.operations)
  const operationsPerService = Math.ceil(shape.operations / services)
  const random = createRandom(shape.seed)
  const traces = services * TRACES_PER_SERVICE
  const rootNs = Float64Array.from({ length: traces }, () => rootDurationNs(random))
  const requests = new Map<string, number>()
  const planned: PlannedSpan[][] = Array.from({ length: services }, () => [])
  for (let trace = 0; trace < traces; trace++) {
    const spans = planTrace(trace, services, operationsPerService)
    for (const { service, span, request } of spans) {
      planned[service]?.push(span)
      if (request !== undefined) requests.set(request, (requests.get(request) ?? 0) + 1)
    }
  }
  const encode = shape.format === 'json' ? encodeJson : encodeProtobuf
  const templates: Template[] = []
  const patch = shape.format === 'json' ? patchJson : patchProtobuf

  return {
    bodies: services,
    traces,
    spans: services * BODY_SPANS,
    requests,
    body(block, index) {
      const spans = planned[index]
      if (spans === undefined) throw new RangeError(`no body ${index}`)
      const template = (templates[index] ??= encode(serviceName(index), spans))
      patch(template, { block, traces, rootNs, startMs: shape.startMs, seed: shape.seed })
      return template.bytes
    }
  }
}

/** Mostly around ROOT_NS, with a long tail. */
function rootDurationNs(random: () => number): number {
  const body = ROOT_NS * (0.5 + random())
  return Math.round(random() < 0.02 ? body * (2 + 8 * random()) : body)
}
