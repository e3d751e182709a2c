/** What is made from rules.yaml and panels.ts: the PrometheusRule of Kubernetes, and the dashboard of Grafana. */
import { readFileSync } from 'node:fs'
import { parse, stringify } from 'yaml'
import { type Panel, panels } from './panels.ts'

export const rulesFile = new URL('rules.yaml', import.meta.url)
export const prometheusRuleFile = new URL('../kubernetes/base/prometheus-rule.yaml', import.meta.url)
export const dashboardFile = new URL('dashboard.json', import.meta.url)

export interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
  readonly annotations?: { readonly summary: string; readonly runbook: string }
}

export function readRules(): Rule[] {
  const { groups } = parse(readFileSync(rulesFile, 'utf8')) as { groups: { rules: Rule[] }[] }
  return groups.flatMap(({ rules }) => rules)
}

export function renderPrometheusRule(): string {
  const name = 'freedompay-clients'
  const document = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name, labels: { 'app.kubernetes.io/name': name } },
    spec: parse(readFileSync(rulesFile, 'utf8')),
  }
  return `# Made from deploy/monitoring/rules.yaml by npm run generate.\n${stringify(document, { lineWidth: 0 })}`
}

const panelsPerRow = 3
const [panelWidth, panelHeight] = [24 / panelsPerRow, 8]

export function renderDashboard(): string {
  const dashboard = {
    uid: 'freedompay-clients',
    title: 'freedompay-clients',
    tags: ['freedompay-clients'],
    schemaVersion: 39,
    editable: false,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: {
      list: [
        {
          name: 'instance',
          label: 'Replica',
          type: 'query',
          datasource,
          query: { query: 'label_values(up{job="freedompay-clients"}, instance)', refId: 'instance' },
          includeAll: true,
          multi: true,
          allValue: '.*',
          current: { text: 'All', value: '$__all' },
          refresh: 2,
        },
      ],
    },
    panels: panels.map(toGrafana),
  }
  return `${JSON.stringify(dashboard, null, 2)}\n`
}

const datasource = { type: 'prometheus', uid: 'prometheus' }

function toGrafana({ title, unit, queries }: Panel, index: number) {
  return {
    id: index + 1,
    title,
    type: 'timeseries',
    datasource,
    gridPos: {
      x: (index % panelsPerRow) * panelWidth,
      y: Math.floor(index / panelsPerRow) * panelHeight,
      w: panelWidth,
      h: panelHeight,
    },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets: Object.entries(queries).map(([legendFormat, expr], i) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + i),
      datasource,
      expr,
      legendFormat,
    })),
  }
}
