/** Writes what is generated from the source: openapi/clients.json, and the tables of docs/reference.md. */
import { readFile, writeFile } from 'node:fs/promises'
import { openApiFile, referenceFile, refreshReference, renderOpenApi } from './documents.ts'

await writeFile(openApiFile, await renderOpenApi())
await writeFile(referenceFile, refreshReference(await readFile(referenceFile, 'utf8')))
