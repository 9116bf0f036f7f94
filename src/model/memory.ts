/** What the process's memory is held for; the label `part` of tail_memory_bytes. Together they are the process. */
export const memoryParts = [
  'accept_in_flight',
  'accept_buffers',
  'decoder',
  'strings',
  'resources',
  'spans',
  'evidence',
  'traces',
  'reserve',
  'closed_traces',
  'learned_roots',
  'scratch',
  'learned',
  'neighbours',
  'held',
  'giants',
  'explain_rows',
  'explain_boundaries',
  'explain_sketches',
  'explain_budgets',
  'explain_blame',
  'explain_retained',
  'explain_history',
  'forward_held',
  'forward_scratch',
  'forward_queues',
  'segment_log',
  /** Array buffers that no part holds: of sockets, of answers under way, and what V8 has yet to free. */
  'buffers',
  /** V8's heaps, as far as they are in memory: objects, compiled code, and what is garbage already. */
  'heap',
  /** Files mapped into memory: Node itself and the libraries. The kernel can drop and read them again. */
  'code',
  /** What the process held beside all these when it had started: stacks, and what Node and V8 keep outside the heap. */
  'runtime'
] as const
export type MemoryPart = (typeof memoryParts)[number]

/** Bytes by part; what is left out is 0. */
export type HeldBytes = Readonly<Partial<Record<MemoryPart, number>>>
