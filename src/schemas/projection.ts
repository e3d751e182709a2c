/** From a value to the part of it that a schema names. */
import type { TSchema } from 'typebox'
import { isObject } from './input-errors.ts'

export type Project = (value: unknown) => unknown

/** JSON Schema, as far as answers use it. */
interface AnswerSchema extends TSchema {
  readonly type?: unknown
  readonly properties?: Readonly<Record<string, AnswerSchema>>
  readonly items?: AnswerSchema
  readonly anyOf?: readonly AnswerSchema[]
  readonly oneOf?: readonly AnswerSchema[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
}

/** What this cannot follow. A schema with one of these must not pass as "everything is allowed". */
const unknownKeywords = ['$ref', 'allOf', 'patternProperties', 'prefixItems', 'if', 'dependentSchemas']

/**
 * Nothing is copied where the schema names no members. In a union, `const` and `enum` members tell which schema is meant.
 * @throws Error where the schema has a keyword that no answer of this service needs so far
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

/** Of a schema that allows anything, as `Type.Unknown()`. */
const keep: Project = (value) => value

/** A date becomes a text; any other object holds members that no schema names. */
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

/** Where no schema fits, the members that any of them names: the answer is wrong then, but its caller must get one. */
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

/** The only values that a schema allows, where it lists them. */
function words(schema: AnswerSchema): readonly unknown[] | undefined {
  return 'const' in schema ? [schema.const] : schema.enum
}
