import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parse } from 'yaml'
import {
  dashboardFile,
  prometheusRuleFile,
  readRules,
  renderDashboard,
  renderPrometheusRule,
} from '../../deploy/monitoring/documents.ts'
import { panels } from '../../deploy/monitoring/panels.ts'
import { findNames } from '../fixtures/queries.ts'
import { phoneFor, startTestService } from '../fixtures/service.ts'
import { skipWithout } from '../fixtures/tools.ts'

const monitoring = fileURLToPath(new URL('../../deploy/monitoring/', import.meta.url))
const rules = readRules()
const alerts = rules.flatMap(({ alert }) => alert ?? [])

/** Metrics, by their labels, that a service without AUTH does not show (caller, secret) or that this version does not have yet. */
const notYet: Record<string, string[]> = {
  caller_requests_total: ['caller', 'outcome'],
}
/** What Prometheus itself adds to every sample. */
const addedLabels = ['job', 'instance']

t.test('what is made from the rules and the panels is up to date; after a change: npm run generate', (t) => {
  t.equal(readFileSync(prometheusRuleFile, 'utf8'), renderPrometheusRule())
  t.equal(readFileSync(dashboardFile, 'utf8'), renderDashboard())
  t.end()
})

t.test(
  'every alert fires where it must and is silent where it must not',
  { skip: skipWithout('promtool', '--version') },
  (t) => {
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', `${monitoring}rules.test.yaml`], {
      encoding: 'utf8',
    })
    t.equal(status, 0, stdout + stderr)
    const { tests } = parse(readFileSync(`${monitoring}rules.test.yaml`, 'utf8')) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] }[]
    }
    const cases = tests.flatMap(({ alert_rule_test }) => alert_rule_test)
    for (const alert of alerts) {
      const own = cases.filter(({ alertname }) => alertname === alert)
      t.ok(
        own.some(({ exp_alerts = [] }) => exp_alerts.length > 0),
        `${alert} has a case that fires`,
      )
      t.ok(
        own.some(({ exp_alerts = [] }) => exp_alerts.length === 0),
        `${alert} has a case that does not`,
      )
    }
    t.end()
  },
)

t.test('every alert leads to its section of the runbook, and no section is about an alert that is gone', (t) => {
  const runbook = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8')
  const sections = [...runbook.matchAll(/^## (Clients\w+)$/gm)].map(([, name]) => name)
  t.strictSame(sections.sort(), [...alerts].sort())
  for (const { alert, annotations } of rules) {
    if (alert !== undefined) t.equal(annotations?.runbook, `docs/runbook.md#${alert.toLowerCase()}`)
  }
  for (const section of runbook.split(/^## /m).slice(1)) {
    if (!section.startsWith('Clients')) continue
    for (const part of ['**What it means.**', '**How to look.**', '**What to do.**']) t.match(section, part)
  }
  t.end()
})

t.test('every metric and label that rules and dashboard name is on /metrics', async (t) => {
  const service = await startTestService(t)
  const creates = ['000', '002', '012'].map((scenario) =>
    service.create({ phone: phoneFor(scenario) }, { 'idempotency-key': scenario }),
  )
  await Promise.all(creates)
  const labelsOf = new Map<string, Set<string>>()
  for (const sample of (await service.metrics()).keys()) {
    const [, name = '', inBraces = ''] = /^([\w:]+)(?:\{(.*)\})?$/.exec(sample) ?? []
    const own = [...inBraces.matchAll(/(\w+)="/g)].map(([, label = '']) => label)
    labelsOf.set(name, new Set([...(labelsOf.get(name) ?? []), ...own]))
  }
  t.strictSame(
    Object.keys(notYet).filter((name) => labelsOf.has(name)),
    [],
    'what is there is not listed as missing',
  )
  for (const [name, labels] of Object.entries(notYet)) labelsOf.set(name, new Set(labels))
  for (const { record } of rules) if (record !== undefined) labelsOf.set(record, new Set())
  labelsOf.set('up', new Set())

  const dashboardQueries = panels.flatMap(({ queries }) => Object.values(queries))
  for (const expression of [...rules.map(({ expr }) => expr), ...dashboardQueries]) {
    for (const [metric, labels] of findNames(expression.replaceAll('$__rate_interval', '5m')).labels) {
      const known = labelsOf.get(metric)
      t.ok(known !== undefined, `${metric} exists`)
      const unknown = [...labels].filter((label) => !known?.has(label) && !addedLabels.includes(label))
      t.strictSame(unknown, [], `${metric} has the labels it is asked for`)
    }
  }
})

t.test('names are found in an expression, and nothing else is taken for one', (t) => {
  const { labels } = findNames(
    'sum by (a, le) (rate(x_total{b=~"c|d",e!="y{z}"}[5m])) / on (f) max(g:h) > 14.4 * 0.001 and k >= 1e3',
  )
  t.strictSame(Object.fromEntries([...labels].map(([name, own]) => [name, [...own].sort()])), {
    x_total: ['a', 'b', 'e', 'f', 'le'],
    'g:h': ['a', 'f', 'le'],
    k: ['a', 'f', 'le'],
  })
  t.end()
})
