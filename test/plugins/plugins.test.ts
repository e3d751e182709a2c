/** The convention of the plugins: one name, the file's, and every plugin that must be registered before. */
import { globSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type FastifyPluginAsync, fastify } from 'fastify'
import t from 'tap'

interface PluginFile {
  readonly default?: FastifyPluginAsync & { [meta]?: { name: string; dependencies?: string[] } }
}

/** Where fastify-plugin keeps what a plugin declares. */
const meta = Symbol.for('plugin-meta')
const folder = fileURLToPath(new URL('../../src/plugins', import.meta.url))

const plugins = await Promise.all(
  globSync(`${folder}/**/*.ts`).map(async (path) => {
    const file: PluginFile = await import(path)
    return { fileName: basename(path, '.ts'), plugin: file.default }
  }),
)

for (const { fileName, plugin } of plugins) {
  if (plugin === undefined) continue
  t.test(`${fileName} has its file's name, and is refused without the plugins that it needs`, async (t) => {
    const { name, dependencies = [] } = plugin[meta] ?? {}
    t.equal(name, fileName)
    if (dependencies.length === 0) return
    const app = fastify()
    t.teardown(() => app.close())
    await t.rejects(async () => await app.register(plugin), { message: `The dependency '${dependencies[0]}'` })
  })
}

t.test('the plugins are found', async (t) => {
  t.ok(plugins.filter(({ plugin }) => plugin !== undefined).length >= 10)
})
