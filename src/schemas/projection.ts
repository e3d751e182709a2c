/** Cuts a value down to the members that its schema names. */
import type { TSchema } from 'typebox'
import { isObject } from './input-errors.ts'

export type Project = (value: unknown) => unknown

/** The keywords of JSON Schema that answers use. */
interface AnswerSchema extends TSchema {
  readonly type?: unknown
  readonly properties?: Readonly<Record<string, AnswerSchema>>
  readonly items?: AnswerSchema
  readonly anyOf?: readonly AnswerSchema[]
  readonly oneOf?: readonly AnswerSchema[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
}

/** Keywords that the projection does not support. A schema with one of them must not count as "every value is allowed". */
const unknownKeywords = ['$ref', 'allOf', 'patternProperties', 'prefixItems', 'if', 'dependentSchemas']

/**
 * A value is copied only if its schema names members. In a union, the `const` and `enum` members show which schema applies.
 * @throws Error if the schema has an unsupported keyword: no answer of this service needs one so far
 */
export function compileProjection(schema: AnswerSchema): Project {
  for (const keyword of unknownKeywords) {
    if (keyword in schema)
      throw new Error(`An answer's schema cannot have ${keyword}: schemas/projection.ts does not know it`)
  }
  const { properties, items, anyOf, oneOf = anyOf } = schema
  if (oneOf !== undefined) return compileUnion(oneOf)
  if (properties !== undefined) return compileObject(properties)
  if (schema.type === 'object') return compileObject({})
  if (items !== undefined) return compileArray(items)
  return schema.type === undefined && words(schema) === undefined ? keep : keepScalar
}

/** For a schema that allows every value, such as `Type.Unknown()`. */
const keep: Project = (value) => value

/** JSON.stringify makes a text of a date. Any other object is removed, as its members are not named by the schema. */
const keepScalar: Project = (value) =>
  typeof value !== 'object' || value === null || value instanceof Date ? value : undefined

function compileObject(properties: Readonly<Record<string, AnswerSchema>>): Project {
  const members = Object.entries(properties).map(([name, schema]) => ({ name, project: compileProjection(schema) }))
  return (value) => {
    if (!isObject(value)) return keepScalar(value)
    const named: Record<string, unknown> = {}
    for (const { name, project } of members) {
      const member = value[name]
      if (member !== undefined) named[name] = project(member)
    }
    return named
  }
}

function compileArray(items: AnswerSchema): Project {
  const project = compileProjection(items)
  return (value) => (Array.isArray(value) ? value.map(project) : keepScalar(value))
}

/** If no schema fits, the answer is wrong, but the caller must get one: it keeps the members that any of the schemas names. */
function compileUnion(schemas: readonly AnswerSchema[]): Project {
  const branches = schemas.map((schema) => ({ fits: compileFit(schema), project: compileProjection(schema) }))
  const project = compileObject(Object.assign({}, ...schemas.map(({ properties }) => properties)))
  return (value) => (branches.find(({ fits }) => fits(value))?.project ?? project)(value)
}

function compileFit(schema: AnswerSchema): (value: unknown) => boolean {
  const { properties, items } = schema
  if (items !== undefined) return Array.isArray
  if (properties === undefined) return (value) => compileProjection(schema)(value) === value
  const told = Object.entries(properties).flatMap(([name, member]) => {
    const allowed = words(member)
    return allowed === undefined ? [] : [{ name, allowed }]
  })
  return (value) => isObject(value) && told.every(({ name, allowed }) => allowed.includes(value[name]))
}

/** The allowed values, if the schema lists them; otherwise undefined. */
function words(schema: AnswerSchema): readonly unknown[] | undefined {
  return 'const' in schema ? [schema.const] : schema.enum
}
