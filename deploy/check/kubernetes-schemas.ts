/**
 * `node kubernetes-schemas.ts OUT OPENAPI_FOLDER CRD...`: JSON Schemas for kubeconform, which has none of its own, from the
 * OpenAPI documents of a Kubernetes release and from custom resource definitions. Keys that an object does not have are refused.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

type Json = Readonly<Record<string, unknown>>
interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}
interface OpenApi {
  readonly components: { readonly schemas: Readonly<Record<string, Json>> }
}
interface CustomResourceDefinition {
  readonly spec: {
    readonly group: string
    readonly names: { readonly kind: string }
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: Json } }[]
  }
}

/** As kubeconform asks for it: {{.ResourceKind}}{{.KindSuffix}}.json, with the first word of the group. */
function write(out: string, { group, version, kind }: GroupVersionKind, schema: Json): void {
  const parts = [kind.toLowerCase(), ...(group === '' ? [] : group.split('.', 1)), version]
  writeFileSync(join(out, `${parts.join('-')}.json`), JSON.stringify(schema))
}

/** Closes every object that names its properties, and lets null be where OpenAPI allows it. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict)
  if (typeof schema !== 'object' || schema === null) return schema
  const closed = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strict(value)]))
  const isOpen =
    !('properties' in closed) || 'additionalProperties' in closed || 'x-kubernetes-preserve-unknown-fields' in closed
  return isOpen || typeof closed['properties'] !== 'object' ? closed : { ...closed, additionalProperties: false }
}

/** The object itself has these beside what a custom resource definition says. */
const rootProperties = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' } }

function writeOpenApi(out: string, file: string): void {
  const { components } = strict(JSON.parse(readFileSync(file, 'utf8'))) as OpenApi
  for (const [name, schema] of Object.entries(components.schemas)) {
    for (const kind of (schema['x-kubernetes-group-version-kind'] ?? []) as GroupVersionKind[]) {
      write(out, kind, { $ref: `#/components/schemas/${name}`, components })
    }
  }
}

function writeDefinition(out: string, file: string): void {
  const { spec } = parse(readFileSync(file, 'utf8')) as CustomResourceDefinition
  for (const { name, schema } of spec.versions) {
    const closed = strict(schema.openAPIV3Schema) as Json & { readonly properties: Json }
    const properties = { ...closed.properties, ...rootProperties }
    write(out, { group: spec.group, version: name, kind: spec.names.kind }, { ...closed, properties })
  }
}

const [out = '', openApi = '', ...definitions] = process.argv.slice(2)
for (const entry of readdirSync(openApi, { recursive: true, encoding: 'utf8' })) {
  if (entry.endsWith('.json')) writeOpenApi(out, join(openApi, entry))
}
for (const definition of definitions) writeDefinition(out, definition)
