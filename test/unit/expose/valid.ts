import { Ajv } from 'ajv'
import { expect } from '@jest/globals'

/** The schemas as the OpenAPI document has them must describe what is really answered. */
export function expectValid(schema: object, body: unknown): void {
  const ajv = new Ajv({ allowUnionTypes: true, strict: false, allErrors: true })
  ajv.validate(schema, body)
  expect(ajv.errors ?? []).toEqual([])
}
