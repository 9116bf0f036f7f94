/**
 * What one can switch on in a service so that more of its tail is explained. Every unattributed nanosecond waits for one of
 * them; `instrument_callee` is for calls whose answer is missing. The order is the order of every advice-indexed array.
 */
export const advices = [
  'raise_attribute_limit',
  'set_service_instance_id',
  'enable_busy_ns',
  'register_go_runtime_metrics',
  'register_tokio_metrics',
  'add_go_companion',
  'add_rust_companion',
  'add_wait_span',
  'instrument_callee'
] as const
export type AdviceName = (typeof advices)[number]

export const Advice = {
  raiseAttributeLimit: 0,
  setInstanceId: 1,
  enableBusyNs: 2,
  registerGoMetrics: 3,
  registerTokioMetrics: 4,
  addGoCompanion: 5,
  addRustCompanion: 6,
  addWaitSpan: 7,
  instrumentCallee: 8
} as const
export const ADVICES = advices.length
