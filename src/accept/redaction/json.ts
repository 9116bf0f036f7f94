import { Fault } from '../../runtime/fault.ts'
import { type Message } from './otlp-fields.ts'
import { ANY_VALUE_DEPTH_MAX, MASK, type PatternList, type RedactionRules } from './rules.ts'

type JsonObject = Record<string, unknown>

/** Redacts one kind of request written in JSON. It is parsed and written anew, which changes nothing that the decoder reads. */
export function createJsonRedactor(request: Message, rules: RedactionRules): (body: Uint8Array) => Uint8Array {
  function message(fields: Message, value: unknown): void {
    if (!isObject(value)) return
    for (const [name, entry] of Object.entries(value)) {
      const kind = Object.hasOwn(fields, name) ? fields[name]?.kind : undefined
      if (kind === 'kept') continue
      if (kind === undefined) Reflect.deleteProperty(value, name)
      else if (kind === 'attributes') value[name] = attributes(entry, 0)
      else if (kind === 'text') value[name] = nameText(entry)
      else if (Array.isArray(entry)) for (const item of entry) message(kind, item)
      else message(kind, entry)
    }
  }

  function nameText(value: unknown): unknown {
    return typeof value === 'string' ? (rules.applyTo(value, rules.forNames, true) ?? value) : value
  }

  function attributes(list: unknown, depth: number): unknown {
    return Array.isArray(list) ? list.filter((entry) => !isObject(entry) || keyValue(entry, depth)) : list
  }

  /** False = it goes. */
  function keyValue(entry: JsonObject, depth: number): boolean {
    const { key, value } = entry
    for (const name of Object.keys(entry)) if (name !== 'key' && name !== 'value') Reflect.deleteProperty(entry, name)
    const { whole, patterns } = rules.forKey(typeof key === 'string' ? key : '')
    if (whole === undefined) return !isObject(value) || anyValue(value, patterns, depth)
    const { stringValue } = isObject(value) ? value : {}
    const bytes = typeof stringValue === 'string' ? stringValue : JSON.stringify(value ?? null)
    const replaced = rules.replaceWhole(whole, bytes)
    entry['value'] = { stringValue: replaced }
    return replaced !== undefined
  }

  /** False = it goes. */
  function anyValue(value: JsonObject, patterns: PatternList, depth: number): boolean {
    for (const [name, content] of Object.entries(value)) {
      if (depth > ANY_VALUE_DEPTH_MAX || !valueNames.has(name)) Reflect.deleteProperty(value, name)
      else if (name === 'stringValue' && typeof content === 'string') {
        const replaced = rules.applyTo(content, patterns, false)
        if (replaced === null) return false
        if (replaced !== undefined) value[name] = replaced
      } else if (name === 'arrayValue' && isObject(content) && Array.isArray(content['values'])) {
        const kept = content['values'].filter((item) => !isObject(item) || anyValue(item, patterns, depth + 1))
        value[name] = { values: kept }
      } else if (name === 'kvlistValue' && isObject(content)) {
        value[name] = { values: attributes(content['values'], depth + 1) }
      }
    }
    if (depth > ANY_VALUE_DEPTH_MAX) value['stringValue'] = MASK
    return true
  }

  return (body) => {
    const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
    let document: unknown
    try {
      document = JSON.parse(text)
    } catch (reason) {
      throw new Fault('BAD_PAYLOAD', `not JSON: ${Fault.from(reason).message}`, { cause: reason })
    }
    message(request, document)
    return Buffer.from(JSON.stringify(document))
  }
}

const valueNames = new Set([
  'stringValue',
  'boolValue',
  'intValue',
  'doubleValue',
  'arrayValue',
  'kvlistValue',
  'bytesValue'
])

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
