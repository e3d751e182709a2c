/** From a parsed body to either a valid one or every place where it breaks the contract, all at once. */
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { Settings } from 'typebox/system'
import { type InputError, Problem } from '../problems.ts'
import { findUnmetRequirements, type Requirements } from './requirements.ts'
import { CreateClient } from './schema.ts'

/** Enough for every member of the body and of its objects; the default of 8 would hide some. */
const maxErrors = 64
Settings.Set({ maxErrors })

const contract = Compile(CreateClient)

/** @throws Problem invalid-request, with a pointer to each fault and never a value of the caller's */
export type ValidateBody = (body: unknown) => CreateClient

export function createBodyValidator(requirements: Requirements): ValidateBody {
  return (body) => {
    const isValid = contract.Check(body)
    const errors = isValid ? [] : toInputErrors(contract.Errors(body))
    if (isObject(body)) {
      const known = new Set(errors.map(({ pointer }) => pointer))
      errors.push(...findUnmetRequirements(body, requirements).filter(({ pointer }) => !known.has(pointer)))
    }
    if (isValid && errors.length === 0) return body
    throw new Problem('invalid-request', { errors: errors.slice(0, maxErrors) })
  }
}

function isObject(body: unknown): body is Record<string, unknown> {
  return typeof body === 'object' && body !== null && !Array.isArray(body)
}

/** One message a place: the type comes before our own sentence, and that before JSON Schema's. */
function toInputErrors(errors: TLocalizedValidationError[]): InputError[] {
  const byPointer = new Map<string, InputError & { rank: number }>()
  for (const error of errors) {
    for (const candidate of describe(error)) {
      const known = byPointer.get(candidate.pointer)
      if (known === undefined || candidate.rank < known.rank) byPointer.set(candidate.pointer, candidate)
    }
  }
  return [...byPointer.values()].map(({ pointer, message }) => ({ pointer, message }))
}

function describe(error: TLocalizedValidationError): (InputError & { rank: number })[] {
  const { instancePath: pointer } = error
  switch (error.keyword) {
    case 'required':
      return error.params.requiredProperties.map((member) => ({
        pointer: `${pointer}/${member}`,
        message: 'is required',
        rank: 0,
      }))
    case 'type':
      return [{ pointer, message: `must be of type ${error.params.type}`, rank: 0 }]
    case '~refine':
      return [{ pointer, message: error.message, rank: 1 }]
    case 'enum':
      return [{ pointer, message: `must be one of: ${error.params.allowedValues.join(', ')}`, rank: 1 }]
    case 'boolean':
      return [{ pointer, message: 'is not a member of this contract; remove it', rank: 1 }]
    case 'additionalProperties':
      return []
    default:
      return [{ pointer, message: error.message, rank: 2 }]
  }
}
