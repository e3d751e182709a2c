/** Numbers and names of the manifests that must agree with each other and with the service. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type Manifest, overlays, renderOverlay, skipManifests } from '../../deploy/kubernetes/manifests.ts'
import { ConfigError, loadConfig } from '../../src/config/load.ts'
import { Settings } from '../../src/config/settings.ts'

/** Settings that the manifests name and that this version does not have yet; empty where it has all. */
const notYet: string[] = []

/** What src/main.ts adds for closing everything, after the deadline of the last create. */
const closingMarginMs = 5000
/** How long src/ops.ts lets a check of /readyz take. */
const checkTimeoutMs = 800

function find(objects: Manifest[], kind: string, name = 'freedompay-clients'): Manifest {
  const found = objects.find((object) => object.kind === kind && object.metadata.name.startsWith(name))
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`)
  return found
}

/** The environment of the container, as its ConfigMap and its own variables make it. */
function environmentOf(objects: Manifest[]): Record<string, string> {
  const { env } = find(objects, 'Deployment').spec.template.spec.containers[0]
  const own = (env as { name: string; value: string }[]).map(({ name, value }) => [name, value])
  return { ...find(objects, 'ConfigMap').data, ...Object.fromEntries(own) }
}

function toMs(duration: string): number {
  const [, amount, unit] = /^(\d+)(ms|s)$/.exec(duration) ?? []
  if (amount === undefined) throw new Error(`${duration} is no duration`)
  return Number(amount) * (unit === 's' ? 1000 : 1)
}

for (const overlay of overlays) {
  t.test(`${overlay}: drain, deadline, gateway and probes fit together`, { skip: skipManifests }, (t) => {
    const objects = renderOverlay(overlay)
    const { terminationGracePeriodSeconds, containers } = find(objects, 'Deployment').spec.template.spec
    const { lifecycle, startupProbe, readinessProbe, livenessProbe, resources } = containers[0]
    const settings = environmentOf(objects)
    const deadlineMs = Number(settings.REQUEST_DEADLINE_MS)
    const delayMs = Number(settings.SHUTDOWN_DELAY_MS)
    const graceMs = terminationGracePeriodSeconds * 1000
    const preStopMs = lifecycle.preStop.sleep.seconds * 1000
    t.ok(graceMs >= preStopMs + delayMs + deadlineMs + closingMarginMs, 'a create in flight ends before SIGKILL')
    t.ok(Number(settings.PARTNER_TIMEOUT_MS) < deadlineMs, 'a call to FreedomPay ends within the deadline')

    for (const { timeouts, retry } of find(objects, 'HTTPRoute').spec.rules) {
      t.ok(toMs(timeouts.backendRequest) > deadlineMs + 2000, 'the gateway waits for the answer')
      t.ok(toMs(timeouts.request) >= toMs(timeouts.backendRequest))
      t.equal(retry, undefined, 'and never sends a POST again')
    }

    const lengthMs = (probe: { periodSeconds: number; failureThreshold: number }) =>
      probe.periodSeconds * probe.failureThreshold * 1000
    for (const probe of [startupProbe, readinessProbe, livenessProbe]) {
      t.equal(probe.httpGet.port, 'ops')
      t.ok(probe.timeoutSeconds * 1000 > 2 * checkTimeoutMs, 'the probe waits for its answer')
    }
    t.ok(lengthMs(readinessProbe) <= delayMs, 'balancers that look at readiness alone see the drain before it closes')
    t.ok(lengthMs(livenessProbe) >= 30_000, 'a busy event loop is not a dead one')
    t.equal(livenessProbe.httpGet.path, '/livez', 'a restart does not bring a ledger back')
    t.ok(lengthMs(startupProbe) >= 60_000, 'a migration of the ledger has its time')
    t.ok(resources.limits.memory && resources.requests.cpu, 'there are requests and limits')
    t.end()
  })

  t.test(
    `${overlay}: every setting that is named exists, and the service starts with them`,
    {
      skip: skipManifests,
    },
    (t) => {
      const objects = renderOverlay(overlay)
      const environment = environmentOf(objects)
      const known = new Set(Object.keys(Settings.properties).flatMap((name) => [name, `${name}_FILE`]))
      const unknown = Object.keys(environment).filter((name) => !known.has(name) && !notYet.includes(name))
      t.strictSame(unknown, [])
      t.strictSame(
        notYet.filter((name) => known.has(name)),
        [],
        'what exists is not listed as missing',
      )

      const folder = mkdtempSync(join(tmpdir(), 'secrets-'))
      t.teardown(() => rmSync(folder, { recursive: true }))
      const { mountPath, subPath } = find(objects, 'Deployment').spec.template.spec.containers[0].volumeMounts[0]
      t.equal(subPath, undefined, 'files mounted by subPath are never renewed')
      const secrets = {
        'auth-id': 'x',
        'secret-key': 'y',
        'ledger-key': 'z'.repeat(32),
        'api-keys': `x:${'0'.repeat(64)}`,
      }
      for (const [name, text] of Object.entries(secrets)) writeFileSync(join(folder, name), text)
      // An engine that every version has; the manifests' own is tested where it is implemented.
      writeFileSync(join(folder, 'ledger-url'), 'redis://127.0.0.1:1')
      const env = Object.fromEntries(
        Object.entries(environment).map(([name, value]) => [name, value.replace(mountPath, folder)]),
      )
      const faultsOf = () => {
        try {
          loadConfig({ ...env, NODE_ENV: 'production' })
          return []
        } catch (error) {
          if (error instanceof ConfigError) return error.faults
          throw error
        }
      }
      const isExpected = (fault: string) => notYet.some((name) => fault.startsWith(name)) || /^DOCS /.test(fault)
      t.strictSame(
        faultsOf().filter((fault) => !isExpected(fault)),
        [],
      )
      t.end()
    },
  )

  t.test(`${overlay}: nothing runs with more rights than it needs`, { skip: skipManifests }, (t) => {
    const deployments = renderOverlay(overlay).filter(({ kind }) => kind === 'Deployment')
    for (const { spec } of deployments) {
      const pod = spec.template.spec
      t.match(pod, {
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      })
      for (const { securityContext } of pod.containers) {
        t.strictSame(securityContext, {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
      }
    }
    t.end()
  })

  t.test(
    `${overlay}: names lead to what they name, and the route to callers’ paths alone`,
    {
      skip: skipManifests,
    },
    (t) => {
      const objects = renderOverlay(overlay)
      const pod = find(objects, 'Deployment').spec.template
      const [container] = pod.spec.containers
      const service = objects.find(({ kind, metadata }) => kind === 'Service' && metadata.name === 'freedompay-clients')
      t.match(pod.metadata.labels, service?.spec.selector)
      t.strictSame(
        service?.spec.ports.map(({ targetPort }: { targetPort: string }) => targetPort),
        ['http'],
        'the operations port is no part of the Service that is routed to',
      )
      const [rule] = find(objects, 'HTTPRoute').spec.rules
      t.strictSame(rule.backendRefs, [{ name: 'freedompay-clients', port: service?.spec.ports[0].port }])
      const basePath = environmentOf(objects).BASE_PATH ?? ''
      t.strictSame(rule.matches, [{ path: { type: 'PathPrefix', value: `${basePath}/clients` } }])
      t.equal(container.envFrom[0].configMapRef.name, find(objects, 'ConfigMap').metadata.name)
      const monitor = find(objects, 'ServiceMonitor').spec
      const ops = find(objects, 'Service', 'freedompay-clients-ops')
      t.match(ops.metadata.labels, monitor.selector.matchLabels)
      t.equal(monitor.endpoints[0].port, ops.spec.ports[0].name)
      t.end()
    },
  )
}
