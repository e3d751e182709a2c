/** Finds every place where a value breaks its schema. The sentences never quote the value. */
import type { TSchema } from 'typebox'
import type { TLocalizedValidationError } from 'typebox/error'
import type { InputError } from '../problems/problem.ts'
import { type Compile, maxErrors } from './compile.ts'

export type Contract<T extends TSchema = TSchema> = ReturnType<typeof Compile<T>>

/** More members than any contract of this service has. */
const maxMembers = 128
const maxPointerLength = 128

/** Finds every fault; `contract.Check` is faster if a yes or no is enough. Removes unknown members beyond the first 128 from `value`. */
export function findInputErrors(contract: Contract, value: unknown): InputError[] {
  const schema = contract.Type()
  return contract.Errors(withoutExcess(value, schema)).flatMap((error) => toInputErrors(error, schema))
}

/** Limits the errors of an answer: a pointer holds the name of a member, which the caller may make as long as the body. */
export function limitInputErrors(errors: readonly InputError[]): InputError[] {
  return errors.slice(0, maxErrors).map(({ pointer, message }) => ({ pointer: cutPointer(pointer), message }))
}

/** Cuts no character in two, and no escaped one (`~0`, `~1`): what is left is a JSON Pointer. */
function cutPointer(pointer: string): string {
  if (pointer.length <= maxPointerLength) return pointer
  return pointer.slice(0, maxPointerLength).replace(/[~\uD800-\uDBFF]$/, '')
}

interface ObjectSchema extends TSchema {
  readonly properties?: Readonly<Record<string, TSchema>>
}

/**
 * A check of 100,000 unknown members would take half a second, in which no other request is served. The first of them are enough to
 * refuse the body.
 */
function withoutExcess(value: unknown, schema: ObjectSchema): unknown {
  const { properties } = schema
  if (properties === undefined || !isObject(value)) return value
  for (const name of Object.keys(properties)) {
    const member = properties[name]
    if (member !== undefined && Object.hasOwn(value, name)) value[name] = withoutExcess(value[name], member)
  }
  const names = Object.keys(value)
  if (names.length <= maxMembers) return value
  const unknown = names.filter((name) => !Object.hasOwn(properties, name)).slice(0, maxMembers)
  const known = names.filter((name) => Object.hasOwn(properties, name))
  return Object.fromEntries([...known, ...unknown].map((name) => [name, value[name]]))
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function toInputErrors(error: TLocalizedValidationError, schema: TSchema): InputError[] {
  const { instancePath: pointer } = error
  switch (error.keyword) {
    case '~refine':
      return [{ pointer, message: error.message }]
    case 'required':
      return error.params.requiredProperties.map((member) => ({
        pointer: `${pointer}/${member}`,
        message: 'is required',
      }))
    case 'type':
      return [{ pointer, message: `must be of type ${error.params.type}` }]
    case 'enum':
      return [{ pointer, message: `must be one of: ${error.params.allowedValues.join(', ')}` }]
    case 'minProperties':
      // No contract here asks for more than one.
      return [{ pointer, message: 'must have at least one member, or be absent' }]
    case 'boolean':
      return [{ pointer, message: 'is not a member of this contract; remove it' }]
    case 'format':
      return [{ pointer, message: error.params.format === 'uuid' ? 'must be a UUID' : error.message }]
    case 'additionalProperties':
      // This error is about the object; each unknown member has an error of its own.
      return []
    default:
      return [{ pointer, message: findOwnSentence(schema, error.schemaPath) ?? error.message }]
  }
}

interface Refined {
  '~refine'?: { error: (value: unknown) => string }[]
}

/** JSON Schema's rules are checked first, so its message on a length or a pattern would hide the contract's own sentence. */
function findOwnSentence(root: TSchema, schemaPath: string): string | undefined {
  let schema: unknown = root
  for (const name of schemaPath.split('/').slice(1)) schema = (schema as Record<string, unknown>)[name]
  return (schema as Refined)['~refine']?.[0]?.error(undefined)
}
