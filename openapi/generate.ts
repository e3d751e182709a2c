/** Writes what is generated from the source: openapi/clients.json, and the tables of the README. */
import { readFile, writeFile } from 'node:fs/promises'
import { openApiFile, readmeFile, refreshReadme, renderOpenApi } from './documents.ts'

await writeFile(openApiFile, await renderOpenApi())
await writeFile(readmeFile, refreshReadme(await readFile(readmeFile, 'utf8')))
