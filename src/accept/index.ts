export { createAcceptor, type Acceptor, type Address } from './acceptor.ts'
export { type Signal, type Verdict } from './answers.ts'
export { acceptCounters, type AcceptCounters } from './counters.ts'
export { type AcceptEnd, type AcceptNext, type AcceptTools } from './intake.ts'
export { createRedaction, redacted, type Redaction } from './redaction/index.ts'
export { acceptSection, acceptSettings, type AcceptSettings } from './settings.ts'
export { type Encoding } from './status.ts'
export {
  addWhole,
  type Cargo,
  createDecoderCounters,
  createMetricDecoder,
  createProtobufScan,
  createResources,
  createSpanDecoder,
  createSplitter,
  type DecoderLimits,
  decoderLimits,
  type DecoderTools,
  groupBytes,
  onlyShardOf,
  shardOf,
  spanRefusalReasons,
  withoutIdentifiers,
  type Refusals
} from './otlp/index.ts'
