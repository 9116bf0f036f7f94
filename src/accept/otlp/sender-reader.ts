import { Language } from '../../model/spans.ts'
import { OTHER_ID, type Strings } from '../../runtime/strings.ts'
import { type AttributeValue, type ByteSource, ValueKind } from './attribute-value.ts'
import { type Composition, type ComposedNames } from './composed-names.ts'
import { KeyTable } from './key-table.ts'
import { type ResourceTable, type Sender } from './resources.ts'

const keys = [
  'service.name',
  'service.namespace',
  'service.version',
  'service.instance.id',
  'k8s.pod.uid',
  'k8s.pod.name',
  'k8s.namespace.name',
  'k8s.container.name',
  'k8s.node.name',
  'container.id',
  'host.id',
  'host.name',
  'process.pid',
  'telemetry.sdk.language',
  'process.runtime.name'
] as const
type Key = (typeof keys)[number]

export const UNKNOWN_SERVICE = 'unknown_service'

const joined: Composition = (a, b) => `${a}/${b}`
// The prefix names the kind of identity, so that a pod never collides with a container of the same id.
const identity =
  (kind: string): Composition =>
  (a, b) =>
    b === '' ? `${kind}:${a}` : `${kind}:${a}/${b}`
const senderKinds = {
  joined,
  instance: identity('instance'),
  uid: identity('uid'),
  pod: identity('pod'),
  container: identity('container'),
  pid: identity('pid')
}
type SenderKind = keyof typeof senderKinds
const kindOrder = Object.keys(senderKinds) as SenderKind[]
/** How service names and process identities are composed. */
export const senderCompositions: readonly Composition[] = Object.values(senderKinds)

/** Reads the attributes of one Resource and finds its row. */
export class SenderReader {
  readonly keys = new KeyTable(keys)
  readonly #values = new Uint32Array(keys.length)
  readonly #sender: Sender = { service: 0, process: 0, host: 0, version: 0, language: Language.unknown }
  readonly #strings: Strings
  readonly #names: ComposedNames
  readonly #firstComposition: number
  readonly #table: ResourceTable

  constructor(tools: { strings: Strings; names: ComposedNames; resources: ResourceTable; firstComposition: number }) {
    this.#strings = tools.strings
    this.#names = tools.names
    this.#table = tools.resources
    this.#firstComposition = tools.firstComposition
  }

  begin(): void {
    this.#values.fill(0)
  }

  attribute(key: number, value: AttributeValue, source: ByteSource): void {
    if (value.kind === ValueKind.text) this.#values[key] = this.#strings.intern(source.bytes, value.start, value.end)
    else if (value.kind === ValueKind.number) this.#values[key] = this.#strings.internText(String(value.number))
  }

  row(): number {
    const sender = this.#sender
    const name = this.#value('service.name') || this.#strings.internText(UNKNOWN_SERVICE)
    const namespace = this.#value('service.namespace')
    sender.service = namespace === 0 ? name : this.#compose('joined', namespace, name)
    sender.version = this.#value('service.version')
    sender.host = this.#value('host.id') || this.#value('host.name') || this.#value('k8s.node.name')
    const process = this.#process(sender.service)
    // Two processes whose names did not fit any more must not become one.
    sender.process = process === OTHER_ID ? 0 : process
    sender.language = this.#language()
    return this.#table.rowOf(sender)
  }

  /** Most telling first. An instance id is unique in its service only, a pod's name in its namespace, a pid on its host. */
  #process(service: number): number {
    const container = this.#value('k8s.container.name')
    const instance = this.#value('service.instance.id')
    if (instance !== 0) return this.#compose('instance', service, instance)
    const uid = this.#value('k8s.pod.uid')
    if (uid !== 0) return this.#compose('uid', uid, container)
    const pod = this.#value('k8s.pod.name')
    if (pod !== 0)
      return this.#compose('pod', this.#compose('joined', this.#value('k8s.namespace.name'), pod), container)
    const containerId = this.#value('container.id')
    if (containerId !== 0) return this.#compose('container', containerId, 0)
    const host = this.#value('host.id') || this.#value('host.name')
    const pid = this.#value('process.pid')
    return host === 0 || pid === 0 ? 0 : this.#compose('pid', host, pid)
  }

  #language(): number {
    const sdk = this.#value('telemetry.sdk.language')
    const text = this.#strings.text(sdk)
    if (text === 'go') return Language.go
    if (text === 'rust') return Language.rust
    if (sdk !== 0) return Language.other
    return this.#strings.text(this.#value('process.runtime.name')) === 'go' ? Language.go : Language.unknown
  }

  #value(key: Key): number {
    return this.#values[keys.indexOf(key)] as number
  }

  #compose(kind: SenderKind, a: number, b: number): number {
    if (a === OTHER_ID || b === OTHER_ID) return OTHER_ID
    return this.#names.of(this.#firstComposition + kindOrder.indexOf(kind), a, b)
  }
}
