import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { openApiFile, renderOpenApi } from '../openapi/documents.ts'
import packageJson from '../package.json' with { type: 'json' }
import { createBodyValidator } from '../src/clients/body/validation.ts'
import { chooseScenario } from '../src/sandbox/scenarios.ts'
import { closeSchema, createCheck, loadOpenApi, operationsOf, type Schema } from './fixtures/openapi.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const openApi = loadOpenApi()
const operations = operationsOf(openApi)
const check = createCheck(openApi)
const createClient = openApi.paths['/clients']?.post
if (createClient?.requestBody === undefined) throw new Error('POST /clients is not described')
const body = createClient.requestBody.content['application/json']

t.test('openapi/clients.json is what the service serves; after a change: npm run generate', async (t) => {
  t.equal(readFileSync(openApiFile, 'utf8'), await renderOpenApi())
  t.equal(openApi.info.version, packageJson.version)
})

for (const file of ['openapi/clients.json', 'openapi/freedompay-card-api.yaml']) {
  t.test(`${file} has no error and no warning under the recommended rules`, async (t) => {
    const cli = [
      'test/node_modules/@redocly/cli/bin/cli.js',
      'lint',
      file,
      '--extends',
      'recommended',
      '--format',
      'json',
    ]
    // Neither a report of its use nor a look for a newer version: nothing leaves this machine.
    const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', CI: 'true' }
    const { stdout } = await promisify(execFile)(process.execPath, cli, { cwd: root, env }).catch(
      (error: { stdout: string }) => error,
    )
    const { totals, problems } = JSON.parse(stdout)
    t.strictSame(problems, [])
    t.strictSame(totals, { errors: 0, warnings: 0, ignored: 0 })
  })
}

t.test('every operation is named, and nothing is left of the tools that made the document', (t) => {
  t.equal(openApi.openapi, '3.1.0')
  t.strictSame(operations.map(([name, { operationId }]) => [name, operationId]).sort(), [
    ['GET /clients/requests/{requestId}', 'readRequest'],
    ['GET /problems', 'listProblems'],
    ['GET /problems/{code}', 'readProblem'],
    ['POST /clients', 'createClient'],
  ])
  for (const [name, { summary, tags, responses }] of operations) {
    t.ok(summary && tags?.length === 1, `${name} has a summary and a tag`)
    for (const [status, { description }] of Object.entries(responses)) {
      t.notMatch(description, /^$|default response/i, `${name} ${status} is described`)
    }
  }
  t.not(openApi.security?.length, 0, 'what is needed of a credential is said')
  const text = JSON.stringify(openApi)
  t.notMatch(text, /def-\d/)
  t.notMatch(text, /"(?:nullable|x-examples|\$id|~[a-z]+)":|"format":"byte"/)
  t.end()
})

t.test('schemas have names, and every reference leads to one', (t) => {
  const names = Object.keys(openApi.components.schemas)
  const ours = [
    'CreateClient',
    'CreatedClient',
    'PendingClient',
    'ClientRequest',
    'Address',
    'Country',
    'Language',
    'PartnerReason',
  ]
  t.strictSame(
    ours.filter((name) => !names.includes(name)),
    [],
  )
  const references = JSON.stringify(openApi).matchAll(/"\$ref":"([^"]+)"/g)
  const missing = [...references].filter(([, ref]) => !names.some((name) => ref === `#/components/schemas/${name}`))
  t.strictSame(missing, [])
  const refOf = (status: string) => Object.values(createClient.responses[status]?.content ?? {})[0]?.schema.$ref
  t.equal(body?.schema.$ref, '#/components/schemas/CreateClient')
  t.equal(refOf('201'), '#/components/schemas/CreatedClient')
  t.equal(refOf('202'), '#/components/schemas/PendingClient')
  t.equal(refOf('413'), '#/components/schemas/BodyTooLargeProblem')
  t.end()
})

t.test('each status lists its own problem codes, and every route says what HTTP itself demands', (t) => {
  for (const [name, { responses }] of operations) {
    for (const status of ['404', '405', '500', '503', '4XX']) t.ok(responses[status], `${name} ${status}`)
    t.ok(responses['405']?.headers?.Allow, `${name} says which methods it allows`)
    for (const [status, { content }] of Object.entries(responses)) {
      const schema = content['application/problem+json']?.schema
      if (schema === undefined) continue
      const { oneOf = [schema], discriminator } = schema as { oneOf?: Schema[]; discriminator?: { mapping: object } }
      const codes = oneOf.map((one) => {
        const { properties } = closeSchema(openApi, one) as { properties: Record<string, { const: unknown }> }
        if (status !== '4XX' && properties.code?.const !== 'invalid-request') {
          t.equal(properties.status?.const, Number(status), `${name} ${status} ${properties.code?.const}`)
        }
        return properties.code?.const
      })
      if (discriminator !== undefined) t.strictSame(Object.keys(discriminator.mapping), codes)
    }
  }
  for (const status of ['201', '202']) {
    t.match(createClient.responses[status]?.links, { readRequest: { operationId: 'readRequest' } })
  }
  t.end()
})

t.test('every answer of POST /clients has named examples, headers among them', (t) => {
  const expected: Record<string, string[]> = {
    201: ['created', 'createdWithoutId'],
    202: ['processing', 'unknown'],
    400: ['missing', 'severalFaults', 'malformedJson', 'invalid-idempotency-key'],
    401: ['unauthenticated'],
    403: ['forbidden'],
    404: ['not-found'],
    405: ['method-not-allowed'],
    409: ['request-in-progress'],
    413: ['body-too-large'],
    415: ['unsupported-media-type'],
    422: ['partner-rejected', 'idempotency-key-reused'],
    429: ['rate-limited'],
    500: ['internal'],
    502: ['partner-misconfigured'],
    503: ['partner-unavailable', 'overloaded', 'ledger-unavailable'],
    '4XX': ['invalid-request'],
  }
  const found = Object.entries(createClient.responses).map(([status, { content }]) => {
    const examples = Object.values(content).flatMap((media) => Object.entries(media.examples ?? {}))
    for (const [name, { summary }] of examples) t.ok(summary, `${name} has a summary`)
    return [status, examples.map(([name]) => name)]
  })
  t.strictSame(Object.fromEntries(found), expected)
  for (const status of ['202', '409', '429', '503']) {
    t.ok(createClient.responses[status]?.headers?.['Retry-After'], `${status} has Retry-After`)
  }
  for (const status of ['201', '202']) {
    t.ok(createClient.responses[status]?.headers?.['Idempotency-Status'], `${status} has Idempotency-Status`)
  }
  t.end()
})

t.test('every example is what its schema says', (t) => {
  let count = 0
  const compare = (where: string, schema: Schema, value: unknown) => {
    count += 1
    t.strictSame(check(schema, value), [], where)
  }
  for (const [name, { parameters = [], requestBody, responses }] of operations) {
    for (const { name: parameter, schema, example } of parameters) {
      if (example !== undefined) compare(`${name} ${parameter}`, schema, example)
    }
    for (const [status, described] of Object.entries({ ...responses, ...(requestBody && { body: requestBody }) })) {
      for (const { schema, examples = {} } of Object.values(described.content)) {
        for (const [example, { value }] of Object.entries(examples))
          compare(`${name} ${status} ${example}`, schema, value)
      }
    }
  }
  const compareWithin = (where: string, schema: Schema) => {
    for (const example of (schema.examples ?? []) as unknown[]) compare(where, schema, example)
    for (const [member, inner] of Object.entries((schema.properties ?? {}) as Record<string, Schema>)) {
      compareWithin(`${where}.${member}`, inner)
    }
  }
  for (const [name, schema] of Object.entries(openApi.components.schemas)) compareWithin(name, schema)
  t.ok(count > 50, `${count} examples`)
  t.strictSame(check({ $ref: '#/components/schemas/CreateClient' }, { phone: 1, x: 1 }).length, 2, 'and this can fail')
  t.end()
})

t.test('there is an example of a body for each scenario of the sandbox, and the service takes it', (t) => {
  const values = Object.values(body?.examples ?? {}).map(({ value }) => value as { phone: string })
  const playedByExamples = new Set(values.map(({ phone }) => chooseScenario(Number(phone))))
  const played = Array.from({ length: 1000 }, (_, digits) => chooseScenario(998901234000 + digits))
  const missing = [...new Set(played)].filter((scenario) => !playedByExamples.has(scenario))
  t.strictSame(
    missing.map(({ name }) => name),
    [],
  )

  const validate = createBodyValidator({
    region: 'uz',
    defaultProductId: 1000,
    allowedProductIds: new Set([1000]),
    allowedBranchIds: new Set(),
    alsoRequired: [],
  })
  for (const value of values) t.notOk('error' in validate(value))
  t.equal(chooseScenario(Number(values[0]?.phone)).name, 'success', 'what is filled in at first succeeds')
  t.end()
})
