import { h } from './dom.js'
import { count } from './format.js'
import { copyable } from './promql.js'

/**
 * Nothing to show yet: how to change that.
 * @param {{ otlp: { grpc: number, http: number }, spans_received: number }} overview
 */
export function emptyView({ otlp, spans_received: spans }) {
  const host = location.hostname
  const grpc = `http://${host}:${otlp.grpc}`
  const http = `http://${host}:${otlp.http}`
  return h(
    'div.empty',
    {},
    h('h1', {}, 'Waiting for the first traces'),
    h('p.verdict', {}, spans === 0 ? NONE_YET : `${count(spans)} spans are here. ${SOON}`),
    h(
      'div.pair',
      {},
      h(
        'section.card',
        {},
        h('h2', {}, 'Go'),
        copyable(`export OTEL_EXPORTER_OTLP_ENDPOINT=${grpc}`),
        h('p.note', {}, 'With otlptracegrpc:'),
        copyable(GO)
      ),
      h(
        'section.card',
        {},
        h('h2', {}, 'Rust'),
        copyable(`export OTEL_EXPORTER_OTLP_ENDPOINT=${http}`),
        h('p.note', {}, 'With opentelemetry-otlp, whose default is HTTP:'),
        copyable(RUST)
      )
    ),
    h('section.card', {}, h('h2', {}, 'OpenTelemetry Collector'), copyable(collector(`${host}:${otlp.grpc}`))),
    h(
      'p.note',
      {},
      'OTLP over gRPC, HTTP/protobuf and HTTP/JSON is taken on either port, gzipped or not. This page notices by itself.'
    )
  )
}

const NONE_YET =
  'No span has come yet. Point an exporter here; the first operation shows up some ten seconds after its first trace.'
const SOON = 'An operation shows up when the first of its traces has been quiet for a few seconds.'

const GO = `exporter, err := otlptracegrpc.New(ctx)
provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
otel.SetTracerProvider(provider)`

const RUST = `let exporter = SpanExporter::builder().with_http().build()?;
let provider = SdkTracerProvider::builder()
    .with_batch_exporter(exporter)
    .build();
opentelemetry::global::set_tracer_provider(provider);`

/** @param {string} endpoint */
const collector = (endpoint) => `exporters:
  otlp/tailspan:
    endpoint: ${endpoint}
    tls: { insecure: true }
service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [otlp/tailspan]   # beside what is there`
