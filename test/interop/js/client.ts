/** Sends a known number of requests by the OpenTelemetry JS SDK, as any Node service would. */
import { SpanKind, context, trace, type Tracer } from '@opentelemetry/api'
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace'

function createExporter(protocol: string, address: string): SpanExporter {
  const url = `http://${address}`
  // The exporter's own setting for compression is an enum of a package that is not ours to import.
  process.env['OTEL_EXPORTER_OTLP_COMPRESSION'] = protocol.endsWith('-gzip') ? 'gzip' : 'none'
  switch (protocol.replace('-gzip', '')) {
    case 'grpc':
      return new GrpcExporter({ url })
    case 'http':
      return new ProtobufExporter({ url: `${url}/v1/traces` })
    case 'http-json':
      return new JsonExporter({ url: `${url}/v1/traces` })
    default:
      throw new Error(`unknown protocol ${protocol}`)
  }
}

/** Each request is a SERVER span with an INTERNAL child. */
function send(tracer: Tracer, operation: string, requests: number): void {
  for (let request = 0; request < requests; request++) {
    const server = tracer.startSpan(operation, { kind: SpanKind.SERVER })
    tracer.startSpan('work', {}, trace.setSpan(context.active(), server)).end()
    server.end()
  }
}

const [protocol = '', address = '', operation = '', requests = ''] = process.argv.slice(2)
const provider = new TracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'interop-js' }),
  spanProcessors: [
    // The SDK drops what its queue cannot hold: this one holds every span of the run.
    new BatchSpanProcessor({ exporter: createExporter(protocol, address), maxQueueSize: 4 * Number(requests) })
  ]
})
send(provider.getTracer('interop'), operation, Number(requests))
await provider.shutdown()
