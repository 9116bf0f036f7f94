import { Advice, type AdviceName, advices } from '../model/advice.ts'
import { type AdviceTable } from '../model/tail.ts'
import { type Strings } from '../runtime/strings.ts'
import { adviceShare } from './advice-table.ts'

/** What to switch on in the service so that more of an operation's tail is explained, and why. */
export interface AdviceSummary {
  readonly advice: AdviceName
  readonly title: string
  readonly text: string
  /** Of the time of its slowest requests, what it would explain. */
  readonly share: number
}

/** What to do; and of the time, where it was spent and what is done about it. */
const words: Readonly<Record<AdviceName, readonly [title: string, where: string, what: string]>> = {
  raise_attribute_limit: [
    'Raise the attribute limit of the SDK',
    'is in spans from which the SDK dropped attributes: evidence such as busy_ns is added last and dropped first',
    'Set OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT higher, or put fewer attributes on these spans.'
  ],
  set_service_instance_id: [
    'Say which process spans come from',
    'is in spans that do not say which process they come from, so nothing can be inferred from what went on beside them',
    'Give each instance a service.instance.id, or let the Collector add k8s.pod.uid.'
  ],
  enable_busy_ns: [
    'Turn on busy_ns in tracing-opentelemetry',
    'is in Rust spans without busy_ns, where running and waiting look alike',
    'tracing-opentelemetry adds it unless it is told with_tracked_inactivity(false); spans that are not made by way of tracing never have it.'
  ],
  register_go_runtime_metrics: [
    "Register the producer of Go's runtime metrics",
    'is in Go spans of processes whose scheduling delay is not known, so waiting for a processor or the collector cannot be told from waiting for anything else',
    'Call runtime.Start() of go.opentelemetry.io/contrib/instrumentation/runtime, and give runtime.NewProducer() to the metric reader.'
  ],
  register_tokio_metrics: [
    'Register the metrics of the tokio runtime',
    'is in Rust spans that waited, and no metrics say how busy the workers of their runtime were',
    'Add opentelemetry-instrumentation-tokio, or the metrics of tokio-metrics.'
  ],
  add_go_companion: [
    'Add the companion library for Go',
    'is in Go spans about which default spans and runtime metrics say no more',
    'instrumentation/go measures for each span what it waited for: a processor, the collector, a queue.'
  ],
  add_rust_companion: [
    'Add the companion library for Rust',
    'is in Rust spans about which busy_ns and the metrics of the runtime say no more',
    'instrumentation/rust measures for each span how late it was polled, and what it waited for.'
  ],
  add_wait_span: [
    'Put a span around what it waits for',
    'is in spans that were waiting for something that has no span: a pool, a lock, a channel',
    'Make a span such as pool.acquire around the wait, stamp when the work was queued, or describe what there is with a rule.'
  ],
  instrument_callee: [
    'Find the spans of a callee that are missing',
    'is in calls that are usually answered with a span, and were not',
    'See that the callee keeps the traces that its caller keeps, and sends its last spans before it ends.'
  ]
}

/** The one switch that would explain most of a row's tail; none where the tail is explained or unknown. */
export function adviceFor(table: AdviceTable, row: number, strings: Strings): readonly AdviceSummary[] {
  const best = table.of(row)
  const advice = advices[best]
  if (advice === undefined) return []
  const share = adviceShare(table, row, best)
  const [title, where, what] = words[advice]
  const call = best === Advice.instrumentCallee ? strings.text(table.missingCall[row] as number) : ''
  const lately = call === '' ? '' : ` The last such call was ${call}.`
  return [
    { advice, title, share, text: `${percent(share)} of the time of its slowest requests ${where}. ${what}${lately}` }
  ]
}

const percent = (share: number): string => `${Math.max(1, Math.round(share * 100))} %`
