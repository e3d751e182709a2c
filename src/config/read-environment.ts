/** From the texts of the environment, or of the files that it names, to values of the right types. */
import { readFileSync } from 'node:fs'
import { Compile } from '../schemas/compile.ts'
import { Settings } from './settings.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The text of each setting, from the environment or from the file that its `_FILE` names. Empty counts as absent. */
export function readTexts(env: Environment, faults: string[]): Partial<Record<keyof Settings, string>> {
  const texts: Partial<Record<keyof Settings, string>> = {}
  for (const name of Object.keys(Settings.properties) as (keyof Settings)[]) {
    try {
      const text = readText(env, name)
      if (text !== undefined && text !== '') texts[name] = text
    } catch (error) {
      faults.push((error as Error).message)
    }
  }
  return texts
}

export function readText(env: Environment, name: string): string | undefined {
  const path = env[`${name}_FILE`] || undefined
  const text = env[name] || undefined
  if (path === undefined) return text
  if (text !== undefined) throw new Error(`${name} and ${name}_FILE are both given; give one of them`)
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new Error(`${name}_FILE names a file that cannot be read (${code})`, { cause })
  }
}

const schemas = Settings.properties as Record<string, { type?: string; default?: unknown }>
const defaults = Object.fromEntries(Object.entries(schemas).map(([name, { default: fallback }]) => [name, fallback]))

const contract = Compile(Settings)

/** A faulty setting takes its default, so that the other settings can be checked as well. */
export function parseSettings(texts: Partial<Record<string, string>>, faults: string[]): Settings {
  const values: Record<string, unknown> = { ...defaults }
  for (const [name, text] of Object.entries(texts)) {
    if (text !== undefined) values[name] = toValue(text, schemas[name]?.type)
  }
  for (const { instancePath, message, params } of contract.Errors(values)) {
    const name = instancePath.slice(1)
    const allowed = 'allowedValues' in params ? `: ${params.allowedValues.join(', ')}` : ''
    faults.push(`${name} ${message}${allowed}`)
    values[name] = defaults[name]
  }
  return values as Settings
}

/** A text that does not fit its type stays a text, so that the contract refuses it. */
function toValue(text: string, type: string | undefined): string | number | boolean {
  if (type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

export function findAbsent(texts: Partial<Record<keyof Settings, string>>): string[] {
  const required = ['FREEDOMPAY_AUTH_ID', 'FREEDOMPAY_SECRET_KEY', 'FREEDOMPAY_PRODUCT_ID'] as const
  return required.filter((name) => texts[name] === undefined).map((name) => `${name} is required`)
}
