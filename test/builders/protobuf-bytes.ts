/** The few pieces of protobuf that OTLP bodies are made of. */
export function varint(value: number): Buffer {
  const bytes = []
  let rest = value
  while (rest > 127) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}

const tag = (field: number, wireType: number): Buffer => varint(field * 8 + wireType)

export const bytesField = (field: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([tag(field, 2), varint(bytes.length), bytes])
export const textField = (field: number, text: string): Buffer => bytesField(field, Buffer.from(text))
export const numberField = (field: number, value: number): Buffer => Buffer.concat([tag(field, 0), varint(value)])

export function fixed64Field(field: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return Buffer.concat([tag(field, 1), bytes])
}
