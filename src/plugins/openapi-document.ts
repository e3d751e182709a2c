/** Two steps that @fastify/swagger lacks: schemas move to `components/schemas`, and OpenAPI 3.0's words become those of 3.1. */
import { isDeepStrictEqual } from 'node:util'

/** The members of a JSON Schema that this file reads. */
interface Schema {
  $ref?: string
  title?: string
  type?: string
  enum?: unknown[]
  format?: string
  properties?: Record<string, Schema>
  items?: Schema
  oneOf?: Schema[]
  description?: string
  /** The use of a named schema in this place: it becomes the description beside the reference. */
  'x-use'?: string
}
type Content = Record<string, { schema?: Schema }>
interface Operation {
  requestBody?: { content: Content }
  responses?: Record<string, { content?: Content }>
}

export interface OpenApiDocument {
  components?: object
  paths?: Record<string, Record<string, Operation>>
}

/**
 * Moves every schema that has a title to `components/schemas` under that name. The routes keep whole schemas, so that the
 * serialiser of their answers needs no references.
 * @throws Error where two schemas that differ share a title
 */
export function finishDocument<T extends OpenApiDocument>(document: T): T {
  const schemas: Record<string, Schema> = {}
  const finishContent = (content: Content = {}) => {
    for (const media of Object.values(content)) {
      if (media.schema !== undefined) media.schema = finishSchema(media.schema, schemas)
    }
  }
  for (const path of Object.values(document.paths ?? {})) {
    for (const { requestBody, responses } of Object.values(path)) {
      finishContent(requestBody?.content)
      for (const { content } of Object.values(responses ?? {})) finishContent(content)
    }
  }
  const sorted = Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))
  return { ...document, components: { ...document.components, schemas: Object.fromEntries(sorted) } }
}

function finishSchema(schema: Schema, schemas: Record<string, Schema>): Schema {
  const { title, format, properties, items, oneOf, 'x-use': use, ...rest } = schema
  const finished = {
    ...rest,
    ...(items && { items: finishSchema(items, schemas) }),
    ...(properties && { properties: finishProperties(properties, schemas) }),
    ...(oneOf && { oneOf: oneOf.map((one) => finishSchema(one, schemas)) }),
    // An enum is enough for a validator, but Swagger UI would show the type "any".
    ...(rest.type === undefined && isEnumOfTexts(rest) && { type: 'string' }),
    // `format: byte` is OpenAPI 3.0; @fastify/swagger uses it in 3.1 as well.
    ...(format === 'byte' ? { contentEncoding: 'base64' } : format !== undefined && { format }),
  }
  if (title === undefined) return finished
  schemas[title] ??= finished
  if (!isDeepStrictEqual(schemas[title], finished)) throw new Error(`Two different schemas are named ${title}`)
  return { $ref: `#/components/schemas/${title}`, ...(use !== undefined && { description: use }) }
}

function isEnumOfTexts({ enum: values }: Schema): boolean {
  return values?.every((value) => typeof value === 'string') ?? false
}

function finishProperties(properties: Record<string, Schema>, schemas: Record<string, Schema>) {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, finishSchema(schema, schemas)]))
}
