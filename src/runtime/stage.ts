/** Milliseconds since the Unix epoch, from whoever owns the clock: stages never read one themselves. */
export type NowMs = number

/** A stage is a plain object of functions: no base class, no `this`. */
export interface Stage {
  /** Moves time forward. Called a few times a second; does a bounded slice of work. */
  readonly tick: (nowMs: NowMs) => void
  /** Hands on everything held. Safe to call twice. */
  readonly shutdown: (nowMs: NowMs) => void
  /** Names every interned string and resource row it still needs, so that the tables can be swept. */
  readonly mark: (marks: Marks) => void
  /** Bytes it holds, by part; `untouched` is what it reserved beside them and never wrote to, so no page is in memory for it. */
  readonly memory: () => Readonly<Record<string, number>>
}

/** One byte per id; 1 = in use. */
export interface Marks {
  readonly strings: Uint8Array
  readonly resources: Uint8Array
}
