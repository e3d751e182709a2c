/** Part of `npm run generate`: makes what rules.yaml and panels.ts stand for. */
import { writeFileSync } from 'node:fs'
import { dashboardFile, prometheusRuleFile, renderDashboard, renderPrometheusRule } from './monitoring/documents.ts'

writeFileSync(prometheusRuleFile, renderPrometheusRule())
writeFileSync(dashboardFile, renderDashboard())
