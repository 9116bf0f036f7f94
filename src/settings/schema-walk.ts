import { type z } from 'zod'
import { durationMs, shareRatio, sizeBytes } from '../runtime/setting-kinds.ts'

/** The parts of a zod schema that this folder looks at. */
export interface SchemaDef {
  readonly type: string
  readonly format?: string
  readonly innerType?: z.ZodType
  readonly in?: z.ZodType
  readonly out?: z.ZodType
  readonly element?: z.ZodType
  readonly valueType?: z.ZodType
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly options?: readonly z.ZodType[]
  readonly entries?: Readonly<Record<string, unknown>>
  readonly values?: readonly unknown[]
  readonly defaultValue?: unknown
}

export function defOf(schema: z.ZodType): SchemaDef {
  return schema.def
}

export type Quantity = 'duration' | 'size' | 'share'

/** Whether people write this as `8s`, as `64MiB` or as `1%`. A refined copy of a kind still shares its parts. */
export function quantityOf(schema: z.ZodType): Quantity | undefined {
  const def = defOf(schema)
  if (def.out !== undefined && def.out === defOf(durationMs).out) return 'duration'
  if (def.out !== undefined && def.out === defOf(sizeBytes).out) return 'size'
  if (def.out !== undefined && def.out === defOf(shareRatio).out) return 'share'
  const inner = def.innerType ?? def.in
  return inner === undefined ? undefined : quantityOf(inner)
}

/** The schema without its default, its optionality and what happens to the value after it was checked. */
export function bare(schema: z.ZodType): z.ZodType {
  const def = defOf(schema)
  const inner = def.innerType ?? def.in
  return inner === undefined ? schema : bare(inner)
}

export function shapeOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> | undefined {
  return defOf(bare(schema)).shape
}

/** The default as the schema holds it: `.prefault()`'s is what a person writes, `.default()`'s is already a number. */
export function defaultOf(schema: z.ZodType): unknown {
  const def = defOf(schema)
  if (def.type === 'default' || def.type === 'prefault') return def.defaultValue
  const inner = def.innerType ?? def.in
  return inner === undefined ? undefined : defaultOf(inner)
}

/** The schema of the value at a path, undefined where the path is not one. */
export function schemaAt(root: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined {
  let schema: z.ZodType | undefined = root
  for (const step of path) {
    schema = memberAt(schema, step)
    if (schema === undefined) return undefined
  }
  return schema
}

function memberAt(schema: z.ZodType, step: PropertyKey): z.ZodType | undefined {
  const { shape, element, valueType, options = [] } = defOf(bare(schema))
  const own = shape?.[String(step)] ?? element ?? valueType
  return own ?? options.map((option) => memberAt(option, step)).find((member) => member !== undefined)
}
