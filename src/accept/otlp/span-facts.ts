import { Kind, SpanFlag } from '../../model/spans.ts'
import { Outcome } from '../../model/requests.ts'
import { type Strings } from '../../runtime/strings.ts'
import {
  type AttributeValue,
  type ByteSource,
  noBytes,
  numberFromText,
  saysTimeout,
  startsWithWord,
  ValueKind
} from './attribute-value.ts'
import { type ComposedNames } from './composed-names.ts'
import { KeyTable, UNKNOWN_KEY } from './key-table.ts'
import { Role, ROLES } from './known-keys.ts'
import { OperationName } from './operation-names.ts'

const encoder = new TextEncoder()
const eventStream = encoder.encode('text/event-stream')
const websocket = encoder.encode('websocket')

/** google.rpc codes in their order, as gRPC and Connect spell them. */
const rpcCodeNames = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED'
]
const rpcCodes = new KeyTable([...rpcCodeNames, ...rpcCodeNames.map((name) => name.toLowerCase()), 'canceled'])
const RpcCode = { ok: 0, cancelled: 1, deadlineExceeded: 4 } as const
/** UNKNOWN, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS: the server's fault by the semantic conventions. */
const RPC_SERVER_ERRORS = (1 << 2) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 15)
const STATUS_ERROR = 2

const REQUEST_MARKS =
  (1 << Role.method) |
  (1 << Role.route) |
  (1 << Role.rpcService) |
  (1 << Role.rpcMethod) |
  (1 << Role.rpcStatus) |
  (1 << Role.otherRequestMark)
const TOWER_MARKS = (1 << Role.towerMethod) | (1 << Role.towerUri)
const FAILURE_ROLES = (1 << Role.httpStatus) | (1 << Role.rpcStatus) | (1 << Role.errorType)
const RARE_MARKS = (1 << Role.contentType) | (1 << Role.protocolName) | (1 << Role.tailSampler) | (1 << Role.sampleRate)

/** What the attributes of the span being read say; nothing is interned before the span is known to need it. */
export class SpanFacts {
  statusCode = 0
  statusStart = 0
  statusEnd = 0
  /** An exception event names a timeout; it counts only if the span failed, because exceptions are also caught. */
  exceptionTimeout = false
  /** SpanFlag bits that come from elsewhere than roles. */
  flags = 0
  #seen = 0
  #source: ByteSource = noBytes
  readonly #kinds = new Uint8Array(ROLES)
  readonly #starts = new Uint32Array(ROLES)
  readonly #ends = new Uint32Array(ROLES)
  readonly #numbers = new Float64Array(ROLES)

  begin(source: ByteSource): void {
    this.#source = source
    this.#seen = 0
    this.flags = 0
    this.statusCode = 0
    this.statusStart = 0
    this.statusEnd = 0
    this.exceptionTimeout = false
  }

  /** Of an attribute given twice the last counts. */
  note(role: number, value: AttributeValue): void {
    this.#seen |= 1 << role
    this.#kinds[role] = value.kind
    this.#starts[role] = value.start
    this.#ends[role] = value.end
    this.#numbers[role] = value.number
  }

  outcome(): number {
    const failed = this.statusCode === STATUS_ERROR
    if ((this.#seen & FAILURE_ROLES) === 0 && !failed) return Outcome.ok
    const http = this.#number(Role.httpStatus)
    const rpc = this.#rpcCode()
    if (http === 408 || http === 499 || http === 504) return Outcome.timeout
    if (rpc === RpcCode.cancelled || rpc === RpcCode.deadlineExceeded) return Outcome.timeout
    if (this.#isText(Role.errorType) && this.#saysTimeout(Role.errorType)) return Outcome.timeout
    if (failed && (this.exceptionTimeout || saysTimeout(this.#source.bytes, this.statusStart, this.statusEnd))) {
      return Outcome.timeout
    }
    const serverError = rpc > RpcCode.ok && ((RPC_SERVER_ERRORS >>> rpc) & 1) === 1
    return failed || http >= 500 || serverError ? Outcome.error : Outcome.ok
  }

  allFlags(): number {
    const seen = this.#seen
    let flags = this.flags
    if ((seen & REQUEST_MARKS) !== 0 || (seen & TOWER_MARKS) === TOWER_MARKS) flags |= SpanFlag.requestLike
    if ((seen & (1 << Role.addedName)) !== 0) flags |= SpanFlag.hasAddedName
    if ((seen & RARE_MARKS) !== 0) flags |= this.#rareFlags()
    if ((seen & (1 << Role.httpStatus)) !== 0 && this.#number(Role.httpStatus) === 101) flags |= SpanFlag.streaming
    return flags
  }

  /** The operation's name if this span is an entry span. */
  operation(name: number, strings: Strings, names: ComposedNames): number {
    if (this.#isText(Role.route) && this.#isText(Role.method)) {
      const method = this.#intern(Role.method, strings)
      return names.of(OperationName.route, method, this.#intern(Role.route, strings))
    }
    if (this.#isText(Role.rpcMethod)) {
      const service = this.#isText(Role.rpcService) ? this.#intern(Role.rpcService, strings) : 0
      return names.of(OperationName.rpc, this.#intern(Role.rpcMethod, strings), service)
    }
    const destination = this.#destination()
    return names.of(OperationName.plain, destination === Role.none ? name : this.#intern(destination, strings), 0)
  }

  #destination(): number {
    if (this.#isText(Role.destinationTemplate)) return Role.destinationTemplate
    if (this.#isText(Role.destination)) return Role.destination
    return this.#isText(Role.oldDestination) ? Role.oldDestination : Role.none
  }

  #rareFlags(): number {
    let flags = 0
    if (this.#begins(Role.contentType, eventStream) || this.#begins(Role.protocolName, websocket)) {
      flags |= SpanFlag.streaming
    }
    if ((this.#seen & (1 << Role.tailSampler)) !== 0 || this.#number(Role.sampleRate) > 1) flags |= SpanFlag.tailSampled
    return flags
  }

  #begins(role: number, word: Uint8Array): boolean {
    if (!this.#isText(role)) return false
    return startsWithWord(this.#source.bytes, this.#starts[role] as number, this.#ends[role] as number, word)
  }

  /** NaN without one. */
  #number(role: number): number {
    if ((this.#seen & (1 << role)) === 0) return NaN
    if (this.#kinds[role] === ValueKind.number) return this.#numbers[role] as number
    if (this.#kinds[role] !== ValueKind.text) return NaN
    return numberFromText(this.#source.bytes, this.#starts[role] as number, this.#ends[role] as number)
  }

  /** -1 without one. */
  #rpcCode(): number {
    if ((this.#seen & (1 << Role.rpcStatus)) === 0) return -1
    const code = this.#number(Role.rpcStatus)
    if (code >= 0 && code < rpcCodeNames.length) return code
    if (this.#kinds[Role.rpcStatus] !== ValueKind.text) return -1
    const start = this.#starts[Role.rpcStatus] as number
    const index = rpcCodes.find(this.#source.view, start, this.#ends[Role.rpcStatus] as number)
    if (index === UNKNOWN_KEY) return -1
    return index === 2 * rpcCodeNames.length ? RpcCode.cancelled : index % rpcCodeNames.length
  }

  #isText(role: number): boolean {
    if ((this.#seen & (1 << role)) === 0 || this.#kinds[role] !== ValueKind.text) return false
    return (this.#ends[role] as number) > (this.#starts[role] as number)
  }

  #saysTimeout(role: number): boolean {
    return saysTimeout(this.#source.bytes, this.#starts[role] as number, this.#ends[role] as number)
  }

  #intern(role: number, strings: Strings): number {
    return strings.intern(this.#source.bytes, this.#starts[role] as number, this.#ends[role] as number)
  }
}

/** SpanKind as known, 0 for what is not. */
export function knownKind(kind: number): number {
  return kind >= 0 && kind <= Kind.consumer ? kind : Kind.unspecified
}
