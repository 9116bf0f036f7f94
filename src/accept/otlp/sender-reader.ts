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
  'process.runtime.name',
  'process.runtime.version'
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

  /** `hint` is what its spans say of its language, if it does not say so itself. */
  row(hint: number = Language.unknown): number {
    const sender = this.#sender
    const name = this.#value('service.name') || this.#strings.internText(UNKNOWN_SERVICE)
    const namespace = this.#value('service.namespace')
    sender.service = namespace === 0 ? name : this.#compose('joined', namespace, name)
    sender.version = this.#value('service.version')
    sender.host = this.#value('host.id') || this.#value('host.name') || this.#value('k8s.node.name')
    const process = this.#process(sender.service)
    // Two processes whose names did not fit any more must not become one.
    sender.process = process === OTHER_ID ? 0 : process
    if (sender.process !== 0) this.#noteAliases(sender.process)
    const language = this.#language()
    sender.language = language === Language.unknown ? hint : language
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

  /** Its weaker identities: someone else may know the process by one of those alone. */
  #noteAliases(process: number): void {
    const container = this.#value('k8s.container.name')
    const uid = this.#value('k8s.pod.uid')
    const pod = this.#value('k8s.pod.name')
    const containerId = this.#value('container.id')
    const pid = this.#value('process.pid')
    if (uid !== 0) this.#noteAlias('uid', uid, container, process)
    if (uid !== 0 && container !== 0) this.#noteAlias('uid', uid, 0, process)
    if (pod !== 0) {
      const name = this.#compose('joined', this.#value('k8s.namespace.name'), pod)
      this.#noteAlias('pod', name, container, process)
      if (container !== 0) this.#noteAlias('pod', name, 0, process)
    }
    if (containerId !== 0) this.#noteAlias('container', containerId, 0, process)
    const host = this.#value('host.id') || this.#value('host.name')
    if (host !== 0 && pid !== 0) this.#noteAlias('pid', host, pid, process)
  }

  #noteAlias(kind: SenderKind, a: number, b: number, process: number): void {
    const identity = this.#compose(kind, a, b)
    if (identity !== process && identity !== OTHER_ID) this.#table.noteAlias(identity, process)
  }

  #language(): number {
    const sdk = this.#value('telemetry.sdk.language')
    const text = this.#strings.text(sdk)
    if (text === 'go') return Language.go
    if (text === 'rust') return Language.rust
    if (sdk !== 0) return Language.other
    const isGo = this.#strings.text(this.#value('process.runtime.name')) === 'go'
    const version = this.#strings.text(this.#value('process.runtime.version'))
    return isGo || /^go\d/.test(version) ? Language.go : Language.unknown
  }

  #value(key: Key): number {
    return this.#values[keys.indexOf(key)] as number
  }

  #compose(kind: SenderKind, a: number, b: number): number {
    if (a === OTHER_ID || b === OTHER_ID) return OTHER_ID
    return this.#names.of(this.#firstComposition + kindOrder.indexOf(kind), a, b)
  }
}
