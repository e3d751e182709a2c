/** Writes openapi.ts: the types of openapi/clients.json. A test of the repository holds the committed file to it. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const inFolder = (path: string) => fileURLToPath(new URL(path, import.meta.url))

const output = process.argv[2] ?? inFolder('openapi.ts')
execFileSync(
  process.execPath,
  [inFolder('node_modules/openapi-typescript/bin/cli.js'), inFolder('../openapi/clients.json'), '--output', output],
  { stdio: ['ignore', 'ignore', 'inherit'] },
)
