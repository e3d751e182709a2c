/** The manifests as `kubectl apply` would get them, and their judges: the schemas of Kubernetes itself. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { skipWithout } from '../../test/fixtures/tools.ts'

const deploy = fileURLToPath(new URL('../', import.meta.url))

const skipSchemas =
  !existsSync(`${deploy}node_modules/kubernetes-models`) &&
  'npm ci has not run in deploy/, so no manifest was held to its schema'

export const skipManifests = skipWithout('kubectl', 'version', '--client') || skipSchemas

export const overlays = ['sandbox', 'production'] as const
export type Overlay = (typeof overlays)[number]

/** One object of Kubernetes; its shape is what the test is about. */
export type Manifest = {
  apiVersion: string
  kind: string
  metadata: { name: string; labels?: Record<string, string> }
  // biome-ignore lint/suspicious/noExplicitAny: the schemas judge it
} & Record<string, any>

/** @throws Error where kustomize refuses it */
export function renderOverlay(overlay: Overlay): Manifest[] {
  const folder = `${deploy}kubernetes/overlays/${overlay}`
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', folder], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`kubectl kustomize ${overlay} failed: ${stderr}`)
  return parseAllDocuments(stdout, { merge: true }).map((document) => document.toJS() as Manifest)
}

interface Model {
  readonly prototype: { validate(): void }
}

const packages: Record<string, string> = {
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api/gateway.networking.k8s.io',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator/monitoring.coreos.com',
}

/** What an object breaks of its schema, members that the schema does not have among them. */
export async function findFaults(manifest: Manifest): Promise<string[]> {
  const [version, group] = manifest.apiVersion.split('/').reverse()
  const path = `${packages[group ?? ''] ?? `kubernetes-models${group === undefined ? '' : `/${group}`}`}/${version}`
  const models = (await import(path)) as Record<string, Model>
  const model = models[manifest.kind]
  if (model === undefined) return [`${manifest.apiVersion} has no ${manifest.kind}`]
  const reads = new Set<string>()
  const watched = watchReads(structuredClone(manifest), '', reads)
  const faults: string[] = []
  try {
    // Without its constructor, which copies every member and so would read all of them.
    model.prototype.validate.call(watched)
  } catch (error) {
    faults.push((error as Error).message)
  }
  return [...faults, ...findUnread(manifest, '', reads)]
}

/**
 * A validator that never looks at a member does not know it: schemas of Kubernetes let unknown members pass, and the API server
 * drops them without a word.
 */
function watchReads<T extends object>(value: T, path: string, reads: Set<string>): T {
  return new Proxy(value, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver)
      if (typeof name === 'symbol') return member
      reads.add(`${path}/${name}`)
      return isObject(member) ? watchReads(member, `${path}/${name}`, reads) : member
    },
  })
}

function findUnread(value: unknown, path: string, reads: Set<string>): string[] {
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, member]) =>
    reads.has(`${path}/${name}`)
      ? findUnread(member, `${path}/${name}`, reads)
      : [`${path}/${name} is not in the schema`],
  )
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
