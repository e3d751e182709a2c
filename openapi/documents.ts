/** What is generated from the source: our OpenAPI document, and the tables of docs/reference.md. */
import { loadConfig } from '../src/config/load.ts'
import { Settings } from '../src/config/settings.ts'
import { problemCodes, problems } from '../src/problems/catalogue.ts'
import { startService } from '../src/service.ts'
import { createLogger } from '../src/telemetry/logger.ts'

export const openApiFile = new URL('clients.json', import.meta.url)
export const referenceFile = new URL('../docs/reference.md', import.meta.url)

/** Of a service that really runs, with its sandbox, on free ports. */
export async function renderOpenApi(): Promise<string> {
  const service = await startService(loadConfig({ PORT: '0', OPS_PORT: '0' }), createLogger('error'), 'generate')
  try {
    const answer = await fetch(`${service.url}/openapi.json`, { headers: { connection: 'close' } })
    return formatJson(await answer.json())
  } finally {
    await service.stop()
  }
}

export function formatJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

/** The reference with its tables made anew. @throws Error where a table's markers are missing */
export function refreshReference(reference: string): string {
  return fillIn(fillIn(reference, 'problems', renderProblems()), 'settings', renderSettings())
}

function fillIn(reference: string, name: string, table: string): string {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [before, rest, ...more] = reference.split(start)
  const after = rest?.split(end)[1]
  if (after === undefined || more.length > 0) throw new Error(`docs/reference.md must hold ${start} and ${end} once`)
  return `${before}${start}\n${table}\n${end}${after}`
}

function renderProblems(): string {
  const rows = problemCodes.map((code) => {
    const { status, title, safeToRetry } = problems[code]
    return [String(status), `\`${code}\``, title, safeToRetry]
  })
  return renderTable(['Status', 'Code', 'What happened', 'Safe to retry'], rows)
}

interface Setting {
  readonly description?: string
  readonly default?: string | number | boolean
  readonly enum?: readonly string[]
}

function renderSettings(): string {
  const rows = Object.entries(Settings.properties as Record<string, Setting>).map(([name, setting]) => [
    `\`${name}\``,
    setting.default === undefined || setting.default === '' ? '' : `\`${setting.default}\``,
    describe(setting),
  ])
  return renderTable(['Name', 'Default', 'Meaning'], rows)
}

/** Names the values that are allowed, where the description does not. */
function describe({ description = '', enum: values = [] }: Setting): string {
  const isComplete = values.every((value) => description.includes(`\`${value}\``))
  return isComplete ? description : `${description}: ${values.map((value) => `\`${value}\``).join(' · ')}`
}

function renderTable(head: string[], rows: string[][]): string {
  const rules = head.map(() => '---')
  return [head, rules, ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n')
}
