/** From a parsed body to either a valid one or every place where it breaks the contract, all at once. */
import { type InputError, Problem } from '../../problems/problem.ts'
import { Compile } from '../../schemas/compile.ts'
import { findInputErrors, isObject, limitInputErrors } from '../../schemas/input-errors.ts'
import { createRequirementsCheck, type Requirements } from './requirements.ts'
import { CreateClient } from './schema.ts'

const contract = Compile(CreateClient)

/** Fastify's contract of a validator. The problem is invalid-request, with a pointer to each fault and never a value of the caller's. */
export type ValidateBody = (body: unknown) => { readonly value: CreateClient } | { readonly error: Problem }

export function createBodyValidator(requirements: Requirements): ValidateBody {
  const findUnmetRequirements = createRequirementsCheck(requirements)

  /** Every fault, which takes longer than to find that there is one. */
  function findFaults(body: unknown): InputError[] {
    const faults = findInputErrors(contract, body)
    if (!isObject(body)) return faults
    const known = new Set(faults.map(({ pointer }) => pointer))
    return [...faults, ...findUnmetRequirements(body).filter(({ pointer }) => !known.has(pointer))]
  }

  return (body) => {
    const isValid = contract.Check(body)
    const errors = isValid ? findUnmetRequirements(body) : findFaults(body)
    if (isValid && errors.length === 0) return { value: body }
    return { error: new Problem('invalid-request', { errors: limitInputErrors(errors) }) }
  }
}
