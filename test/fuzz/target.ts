/** A parser that eats strangers' bytes, and what must hold whatever they are. */
export interface Target {
  readonly name: string
  /** Well-formed inputs to begin with. */
  readonly seeds: () => readonly Uint8Array[]
  /** How its inputs are built, so that mutants stay close to what the parser expects. */
  readonly shape: Shape
  /** Throws when something that must hold does not. Says whether the input was taken, or refused as it should be. */
  readonly run: (input: Uint8Array) => Outcome | Promise<Outcome>
  /** The parser's own files, whose coverage steers: parts of their paths. */
  readonly covers: readonly string[]
  /** Makes checksums right again, so that mutants come past them. */
  readonly mend?: (input: Uint8Array) => Uint8Array
}

export type Outcome = 'taken' | 'refused'
export type Shape = 'protobuf' | 'json' | 'text' | 'bytes'

/** For a property that does not hold. */
export function mustHold(holds: boolean, what: () => string): void {
  if (!holds) throw new Error(what())
}
