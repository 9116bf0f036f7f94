/** Protobuf by hand: fields and OTLP messages for tests of the file reader. */
export function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return [...bytes, rest]
}

export function field(number: number, value: Uint8Array | string | number): Uint8Array {
  if (typeof value === 'number') return Uint8Array.from([...varint(number * 8), ...varint(value)])
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
  return join([Uint8Array.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes])
}

export function fixed64(number: number, value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, value, true)
  return join([Uint8Array.from(varint(number * 8 + 1)), bytes])
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

export function resource(service: string): Uint8Array {
  return field(1, field(1, join([field(1, 'service.name'), field(2, field(1, service))])))
}

export function span(name: string, id = 1): Uint8Array {
  return field(
    2,
    join([
      field(1, new Uint8Array(16).fill(id)),
      field(2, new Uint8Array(8).fill(id)),
      field(5, name),
      field(6, 2),
      fixed64(7, 1_700_000_000_000_000_000n),
      fixed64(8, 1_700_000_000_001_000_000n)
    ])
  )
}

export function gauge(name: string): Uint8Array {
  return field(2, join([field(1, name), field(5, field(1, fixed64(3, 1_700_000_000_000_000_000n)))]))
}

export function logRecord(): Uint8Array {
  return field(2, join([fixed64(1, 1_700_000_000_000_000_000n), field(2, 9), field(5, field(1, 'hello'))]))
}

export function scope(name: string, items: readonly Uint8Array[]): Uint8Array {
  return field(2, join([field(1, field(1, name)), ...items]))
}

export function entry(service: string, scopes: readonly Uint8Array[]): Uint8Array {
  return field(1, join([resource(service), ...scopes]))
}

export function prefixed(message: Uint8Array): Uint8Array {
  const prefix = new Uint8Array(4)
  new DataView(prefix.buffer).setUint32(0, message.length)
  return join([prefix, message])
}
