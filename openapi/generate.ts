/** Writes what is generated: openapi/clients.json, the tables of docs/reference.md, and the guides under /docs. */
import { readFile, writeFile } from 'node:fs/promises'
import { openApiFile, referenceFile, refreshReference, renderOpenApi } from './documents.ts'
import { guides, renderGuide } from './guides.ts'

// First, as the service that renders OpenAPI serves the guides.
for (const guide of guides) await writeFile(guide.file, renderGuide(guide))
await writeFile(openApiFile, await renderOpenApi())
await writeFile(referenceFile, refreshReference(await readFile(referenceFile, 'utf8')))
