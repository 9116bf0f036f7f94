/**
 * What spans come in: a ScopeSpans without its spans, inside a ResourceSpans without its ScopeSpans, as the bytes of their other
 * fields, known and unknown, in the order received. One object for all spans of one sender and scope, while there are any.
 */
export interface ScopeEnvelope {
  readonly number: number
  readonly resource: ResourceEnvelope
  readonly bytes: Buffer
  readonly key: string
  /** Spans that are held of it. */
  spans: number
  /** For whoever puts spans in order: where it stands among those of one request, -1 outside of that. */
  place: number
}

export interface ResourceEnvelope {
  readonly bytes: Buffer
  readonly key: string
  readonly scopes: Map<string, ScopeEnvelope>
  place: number
}

export interface Envelopes {
  /** Counts as one span until it is released. */
  readonly find: (resource: Buffer, scope: Buffer) => ScopeEnvelope
  readonly of: (number: number) => ScopeEnvelope
  /** So many spans more. */
  readonly retain: (scope: ScopeEnvelope, spans: number) => void
  /** So many less; the last one takes the envelope with it. */
  readonly release: (number: number, spans: number) => void
  readonly bytes: () => number
}

/** About what the objects and maps around the bytes take. */
const ENVELOPE_BYTES = 400

export function createEnvelopes(): Envelopes {
  const resources = new Map<string, ResourceEnvelope>()
  const scopes: (ScopeEnvelope | undefined)[] = []
  const free: number[] = []
  let bytes = 0

  // The key is the bytes themselves, a character each, beside which the copy costs as much again.
  const sizeOf = (content: Buffer): number => ENVELOPE_BYTES + 2 * content.length

  function resourceOf(content: Buffer): ResourceEnvelope {
    const key = content.toString('latin1')
    const known = resources.get(key)
    if (known !== undefined) return known
    const made: ResourceEnvelope = { bytes: Buffer.from(content), key, scopes: new Map(), place: -1 }
    resources.set(key, made)
    bytes += sizeOf(content)
    return made
  }

  function find(resourceContent: Buffer, content: Buffer): ScopeEnvelope {
    const resource = resourceOf(resourceContent)
    const key = content.toString('latin1')
    const known = resource.scopes.get(key)
    if (known !== undefined) {
      known.spans += 1
      return known
    }
    const number = free.pop() ?? scopes.length
    const made: ScopeEnvelope = { number, resource, bytes: Buffer.from(content), key, spans: 1, place: -1 }
    scopes[number] = made
    resource.scopes.set(key, made)
    bytes += sizeOf(content)
    return made
  }

  function release(number: number, spans: number): void {
    const scope = scopes[number] as ScopeEnvelope
    scope.spans -= spans
    if (scope.spans > 0) return
    const { resource } = scope
    scopes[number] = undefined
    free.push(number)
    resource.scopes.delete(scope.key)
    bytes -= sizeOf(scope.bytes)
    if (resource.scopes.size > 0) return
    resources.delete(resource.key)
    bytes -= sizeOf(resource.bytes)
  }

  return {
    find,
    of: (number) => scopes[number] as ScopeEnvelope,
    retain(scope, spans) {
      scope.spans += spans
    },
    release,
    bytes: () => bytes
  }
}
