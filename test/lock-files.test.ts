import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { findFaults } from '../.ci/check-lock-files.ts'

const script = fileURLToPath(new URL('../.ci/check-lock-files.ts', import.meta.url))
const integrity = `sha512-${'a'.repeat(86)}==`
const lock = (locked: object, root: object = {}) => ({
  lockfileVersion: 3,
  packages: { '': root, 'node_modules/a': { version: '1.0.0', integrity, ...locked } },
})

t.test('the lock files of this repository have no fault', async (t) => {
  t.doesNotThrow(() => execFileSync(process.execPath, [script], { stdio: 'pipe' }))
})

t.test('a lock file with checksums and without addresses has no fault', async (t) => {
  const root = { dependencies: { a: '^1.0.0 || 2.x', b: 'npm:@scope/a@1.0.0' } }
  t.strictSame(findFaults(lock({}, root), []), [])
  t.strictSame(findFaults(lock({ hasInstallScript: true }), ['a']), [])
})

const faulty: Record<string, [locked: object, root: object, fault: RegExp]> = {
  'the address of a registry': [{ resolved: 'https://registry.example/a.tgz' }, {}, /^node_modules\/a has an address/],
  'a link': [{ link: true }, {}, /has an address/],
  'no checksum': [{ integrity: undefined }, {}, /no SHA-512/],
  'a weak checksum': [{ integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }, {}, /no SHA-512/],
  'an install script': [{ hasInstallScript: true }, {}, /install script/],
  'a dependency from git': [{ dependencies: { b: 'git+ssh://host/b' } }, {}, /wants b from an address/],
  'a dependency from GitHub': [{}, { devDependencies: { b: 'owner/b' } }, /^ wants b from an address/],
  'a dependency from a file': [{}, { optionalDependencies: { b: 'file:../b' } }, /wants b/],
}
for (const [name, [locked, root, fault]] of Object.entries(faulty)) {
  t.test(`${name} is a fault`, async (t) => {
    t.match(findFaults(lock(locked, root), ['other']), [fault])
    t.equal(findFaults(lock(locked, root), ['other']).length, 1)
  })
}
