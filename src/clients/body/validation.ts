/** From a parsed body to either a valid one or every place where it breaks the contract, all at once. */
import type { TLocalizedValidationError } from 'typebox/error'
import { type InputError, Problem } from '../../problems/problem.ts'
import { Compile, maxErrors } from '../../typebox.ts'
import { createRequirementsCheck, type Requirements } from './requirements.ts'
import { CreateClient } from './schema.ts'

const maxPointerLength = 128

const contract = Compile(CreateClient)

/** @throws Problem invalid-request, with a pointer to each fault and never a value of the caller's */
export type ValidateBody = (body: unknown) => CreateClient

export function createBodyValidator(requirements: Requirements): ValidateBody {
  const findUnmetRequirements = createRequirementsCheck(requirements)

  /** Every fault, which takes longer than to find that there is one. */
  function findFaults(received: unknown): InputError[] {
    const body = withoutExcess(received)
    const faults = contract.Errors(body).flatMap(toInputErrors)
    if (!isObject(body)) return faults
    const known = new Set(faults.map(({ pointer }) => pointer))
    return [...faults, ...findUnmetRequirements(body).filter(({ pointer }) => !known.has(pointer))]
  }

  return (body) => {
    const isValid = contract.Check(body)
    const faults = isValid ? findUnmetRequirements(body) : findFaults(body)
    if (isValid && faults.length === 0) return body
    throw new Problem('invalid-request', { errors: faults.slice(0, maxErrors).map(shorten) })
  }
}

/** Far more than the contract has. */
const maxMembers = 128

const ownNames = new Set([
  ...Object.keys(CreateClient.properties),
  ...Object.keys(CreateClient.properties.registrationAddress.properties),
  ...Object.keys(CreateClient.properties.identification.properties),
])

/**
 * To look at each of 100 000 unknown members would take half a second in which nobody else is served; the first of them are enough
 * to refuse the body.
 */
function withoutExcess(value: unknown, levels = 2): unknown {
  if (!isObject(value) || levels === 0) return value
  let names = Object.keys(value)
  if (names.length > maxMembers) {
    const unknown = names.filter((name) => !ownNames.has(name)).slice(0, maxMembers)
    names = [...names.filter((name) => ownNames.has(name)), ...unknown]
    return Object.fromEntries(names.map((name) => [name, withoutExcess(value[name], levels - 1)]))
  }
  for (const name of names) value[name] = withoutExcess(value[name], levels - 1)
  return value
}

function isObject(body: unknown): body is Record<string, unknown> {
  return typeof body === 'object' && body !== null && !Array.isArray(body)
}

/** A member's name is the caller's text, and may be as long as the body. */
function shorten({ pointer, message }: InputError): InputError {
  return { pointer: pointer.slice(0, maxPointerLength), message }
}

function toInputErrors(error: TLocalizedValidationError): InputError[] {
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
    case 'boolean':
      return [{ pointer, message: 'is not a member of this contract; remove it' }]
    case 'additionalProperties':
      // Of the object; each member that is too many has an error of its own.
      return []
    default:
      return [{ pointer, message: findOwnSentence(error.schemaPath) ?? error.message }]
  }
}

interface Refined {
  '~refine'?: { error: (value: unknown) => string }[]
}

/** JSON Schema's rules are looked at first, so its message on a length or a pattern would hide the sentence of our own. */
function findOwnSentence(schemaPath: string): string | undefined {
  let schema: unknown = CreateClient
  for (const name of schemaPath.split('/').slice(1)) schema = (schema as Record<string, unknown>)[name]
  return (schema as Refined)['~refine']?.[0]?.error(undefined)
}
