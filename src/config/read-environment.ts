/** From the texts of the environment, or of the files that it names, to values of the right types. */
import { readFileSync } from 'node:fs'
import type { Static, TObject } from 'typebox'
import { Compile } from '../schemas/compile.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface Reading<Values, Name extends string = keyof Values & string> {
  /** Without a valid text a setting has its default here, so that the other settings can be checked as well. */
  readonly values: Values
  /** The texts of the settings, also of faulty values. Empty counts as absent. */
  readonly texts: Partial<Record<Name, string>>
  /** The settings whose text cannot be read or is no valid value. Their faults are told. */
  readonly faulty: ReadonlySet<Name>
}

/** Reads every setting of the schema once, and adds the faults of all of them. */
export function readSettings<Schema extends TObject>(
  schema: Schema,
  env: Environment,
  faults: string[],
): Reading<Static<Schema>> {
  type Name = keyof Static<Schema> & string
  const texts: Partial<Record<Name, string>> = {}
  const faulty = new Set<Name>()
  for (const name of Object.keys(schema.properties) as Name[]) {
    try {
      const text = readText(env, name)
      if (text !== undefined && text !== '') texts[name] = text
    } catch (error) {
      faults.push((error as Error).message)
      faulty.add(name)
    }
  }
  const values: unknown = parseTexts(schema, texts, faults, faulty)
  return { values: values as Static<Schema>, texts, faulty }
}

/** @throws Error with a sentence that names the setting and not its value */
export function readText(env: Environment, name: string): string | undefined {
  const path = env[`${name}_FILE`] || undefined
  const text = env[name] || undefined
  if (path === undefined) return trim(text, name)
  if (text !== undefined) throw new Error(`${name} and ${name}_FILE are both given; give one of them`)
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new Error(`${name}_FILE names a file that cannot be read (${code})`, { cause })
  }
}

/** As the text of a file. A line break in a variable, as a secret store may add one, is no part of the value. */
function trim(text: string | undefined, name: string): string | undefined {
  const trimmed = text?.trim()
  if (trimmed === '') throw new Error(`${name} holds nothing but white space`)
  return trimmed
}

/** True if the environment names the setting or a file for it, whatever the file holds. */
export function isNamed(env: Environment, name: string): boolean {
  return Boolean(env[name] || env[`${name}_FILE`])
}

/** True if the setting has a text, also a faulty one. */
export function isGiven<Name extends string>({ texts, faulty }: Reading<unknown, Name>, name: Name): boolean {
  return texts[name] !== undefined || faulty.has(name)
}

/** All faults in one text, a line each. */
export function describeFaults(faults: readonly string[]): string {
  return `The settings are faulty:\n${faults.map((fault) => `- ${fault}`).join('\n')}`
}

interface Property {
  readonly type?: string
  readonly default?: unknown
}

function parseTexts<Name extends string>(
  schema: TObject,
  texts: Partial<Record<Name, string>>,
  faults: string[],
  faulty: Set<Name>,
): Partial<Record<Name, unknown>> {
  const values: Partial<Record<Name, unknown>> = {}
  const properties = schema.properties as Record<Name, Property>
  for (const name of Object.keys(properties) as Name[]) {
    const text = texts[name]
    values[name] = text === undefined ? properties[name].default : toValue(text, properties[name].type)
  }
  for (const { instancePath, message, params } of Compile(schema).Errors(values)) {
    const name = instancePath.slice(1) as Name
    const allowed = 'allowedValues' in params ? `: ${params.allowedValues.join(', ')}` : ''
    faults.push(`${name} ${message}${allowed}`)
    faulty.add(name)
    values[name] = properties[name].default
  }
  return values
}

/** A text that does not fit its type stays a text, so that the schema refuses it. */
function toValue(text: string, type: string | undefined): string | number | boolean {
  if (type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}
