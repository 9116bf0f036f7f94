import { Fault } from '../../runtime/fault.ts'

const decoder = new TextDecoder()

/** Parses a JSON body; broken JSON is a Fault that says where. Invalid UTF-8 becomes U+FFFD. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = decoder.decode(bytes)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Fault('BAD_PAYLOAD', `broken JSON at offset ${brokenAt(text)}`, { cause })
  }
}

const blank = /[ \t\n\r]*/y
const token =
  /[[\]{},:]|"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|[\x7f-\x9f])*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/uy

/** What may come next. */
const Next = { value: 0, valueOrEnd: 1, commaOrEnd: 2, key: 3, keyOrEnd: 4, colon: 5 } as const

/** Where a text stops being JSON. V8's own message leaves the place out of most of its complaints. */
function brokenAt(text: string): number {
  let open = new Uint8Array(64)
  let depth = 0
  let next: number = Next.value
  let at = 0
  for (;;) {
    blank.lastIndex = at
    blank.test(text)
    at = blank.lastIndex
    token.lastIndex = at
    const found = token.exec(text)?.[0]
    if (found === undefined) return at
    const after = follow(found, next, depth > 0 && open[depth - 1] === 1)
    if (after === undefined || (depth === 0 && next === Next.commaOrEnd)) return at
    if (found === '{' || found === '[') {
      if (depth === open.length) {
        const larger = new Uint8Array(depth * 2)
        larger.set(open)
        open = larger
      }
      open[depth++] = found === '{' ? 1 : 0
    } else if (found === '}' || found === ']') depth -= 1
    next = after
    at = token.lastIndex
  }
}

/** What may come after a token, undefined when the token itself may not come here. */
function follow(found: string, next: number, inObject: boolean): number | undefined {
  switch (found) {
    case '{':
      return next <= Next.valueOrEnd ? Next.keyOrEnd : undefined
    case '[':
      return next <= Next.valueOrEnd ? Next.valueOrEnd : undefined
    case '}':
      return inObject && (next === Next.commaOrEnd || next === Next.keyOrEnd) ? Next.commaOrEnd : undefined
    case ']':
      return !inObject && (next === Next.commaOrEnd || next === Next.valueOrEnd) ? Next.commaOrEnd : undefined
    case ',':
      if (next !== Next.commaOrEnd) return undefined
      return inObject ? Next.key : Next.value
    case ':':
      return next === Next.colon ? Next.value : undefined
    default:
      if (next <= Next.valueOrEnd) return Next.commaOrEnd
      return found.startsWith('"') && (next === Next.key || next === Next.keyOrEnd) ? Next.colon : undefined
  }
}
