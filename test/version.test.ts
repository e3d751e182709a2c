/** One version wherever a version stands, so that a release is one change. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import packageJson from '../package.json' with { type: 'json' }

const { version } = packageJson
const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

const places: Record<string, string> = {
  'package-lock.json': `"version": "${version}"`,
  'client/package.json': `"version": "${version}"`,
  'client/package-lock.json': `"version": "${version}"`,
  'openapi/clients.json': `"version": "${version}"`,
  Dockerfile: `ARG VERSION=${version}`,
  'deploy/kubernetes/overlays/sandbox/kustomization.yaml': `newTag: ${version}`,
  'deploy/kubernetes/overlays/production/kustomization.yaml': `newTag: ${version}`,
  'docs/how-to-run-it.md': `freedompay-clients:${version}`,
  'CHANGELOG.md': `## [${version}] - `,
}

for (const [path, text] of Object.entries(places)) {
  t.test(`${path} names this version`, async (t) => {
    t.ok(read(path).includes(text), text)
  })
}
