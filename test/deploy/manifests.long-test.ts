import t from 'tap'
import { findFaults, type Manifest, overlays, renderOverlay, skipManifests } from '../../deploy/kubernetes/manifests.ts'

for (const overlay of overlays) {
  t.test(`every object of ${overlay} is what its schema says, member by member`, { skip: skipManifests }, async (t) => {
    const objects = renderOverlay(overlay)
    t.ok(objects.length >= 7, 'there are objects')
    for (const object of objects) {
      t.strictSame(await findFaults(object), [], `${object.kind} ${object.metadata.name}`)
    }
  })
}

t.test('a misspelt member is found at every depth, and so is a wrong type', { skip: skipManifests }, async (t) => {
  const objects = renderOverlay('production')
  const spoil = (kind: string, change: (object: Manifest) => void) => {
    const object = structuredClone(objects.find((other) => other.kind === kind)) as Manifest
    change(object)
    return findFaults(object)
  }
  const container = (object: Manifest) => object.spec.template.spec.containers[0]
  const cases: [string, (object: Manifest) => void, RegExp][] = [
    ['Deployment', (o) => Object.assign(o.spec, { replica: 2 }), /^\/spec\/replica is not/],
    [
      'Deployment',
      (o) => Object.assign(container(o).securityContext, { readOnlyRootFs: true }),
      /readOnlyRootFs is not/,
    ],
    ['Deployment', (o) => Object.assign(container(o).livenessProbe.httpGet, { ports: 1 }), /httpGet\/ports is not/],
    ['Deployment', (o) => Object.assign(container(o).lifecycle.preStop.sleep, { seconds: 'five' }), /seconds must be/],
    ['HTTPRoute', (o) => Object.assign(o.spec.rules[0].timeouts, { requests: '1s' }), /timeouts\/requests is not/],
    ['HTTPRoute', (o) => Object.assign(o.spec.rules[0].timeouts, { request: 'soon' }), /timeouts\/request must/],
    ['HorizontalPodAutoscaler', (o) => Object.assign(o.spec, { minReplica: 1 }), /minReplica is not/],
    ['PodDisruptionBudget', (o) => Object.assign(o.spec, { maxUnavailble: 1 }), /maxUnavailble is not/],
    ['NetworkPolicy', (o) => Object.assign(o.spec.egress[0].ports[0], { prt: 1 }), /prt is not/],
    ['ServiceMonitor', (o) => Object.assign(o.spec.endpoints[0], { intervall: '1s' }), /intervall is not/],
    ['PrometheusRule', (o) => Object.assign(o.spec.groups[0].rules[0], { expression: 'x' }), /expression is not/],
    ['Service', (o) => Object.assign(o.spec.ports[0], { target: 1 }), /target is not/],
  ]
  for (const [kind, change, expected] of cases) {
    const faults = await spoil(kind, change)
    t.equal(faults.length, 1, `${kind}: ${faults}`)
    t.match(faults[0], expected)
  }
})
