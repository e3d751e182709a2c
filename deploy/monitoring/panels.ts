/** What the Grafana dashboard shows, top to bottom. `npm run generate` makes dashboard.json from it. */

export interface Panel {
  readonly title: string
  /** Grafana's name of the unit. */
  readonly unit: 's' | 'reqps' | 'short' | 'bytes' | 'percentunit'
  /** Query by the legend of its lines. */
  readonly queries: Readonly<Record<string, string>>
}

const own = 'job="freedompay-clients",instance=~"$instance"'
const creates = `${own},method="POST",route=~"(/.+)?/clients"`
const quantile = (share: number, selector: string, by: string) =>
  `histogram_quantile(${share}, sum by (${by}) (rate(${selector}[$__rate_interval])))`

export const panels: readonly Panel[] = [
  {
    title: 'Creates by what the caller was told',
    unit: 'reqps',
    queries: { '{{outcome}}': `sum by (outcome) (rate(clients_create_total{${own}}[$__rate_interval]))` },
  },
  {
    title: 'Answers by status',
    unit: 'reqps',
    queries: {
      '{{status_code}}': `sum by (status_code) (rate(http_request_duration_seconds_count{${creates}}[$__rate_interval]))`,
    },
  },
  {
    title: 'Share of creates that failed (objective 0.1 %)',
    unit: 'percentunit',
    queries: { '5 min': 'clients:create_errors:ratio_rate5m', '1 h': 'clients:create_errors:ratio_rate1h' },
  },
  {
    title: 'Time of a create, FreedomPay’s part included',
    unit: 's',
    queries: {
      p50: quantile(0.5, `http_request_duration_seconds_bucket{${creates}}`, 'le'),
      p95: quantile(0.95, `http_request_duration_seconds_bucket{${creates}}`, 'le'),
      p99: quantile(0.99, `http_request_duration_seconds_bucket{${creates}}`, 'le'),
    },
  },
  {
    title: 'Time of a call to FreedomPay',
    unit: 's',
    queries: {
      'p50 {{operation}}': quantile(0.5, `partner_request_duration_seconds_bucket{${own}}`, 'le, operation'),
      'p99 {{operation}}': quantile(0.99, `partner_request_duration_seconds_bucket{${own}}`, 'le, operation'),
    },
  },
  {
    title: 'Calls to FreedomPay by what came of them',
    unit: 'reqps',
    queries: {
      '{{operation}} {{result}}': `sum by (operation, result) (rate(partner_request_duration_seconds_count{${own}}[$__rate_interval])) > 0`,
    },
  },
  {
    title: 'Outcomes that are not known',
    unit: 'short',
    queries: {
      unresolved: `max(ledger_unresolved{${own}})`,
      'need a person': `max(ledger_needs_attention{${own}})`,
    },
  },
  {
    title: 'Age of what is not known',
    unit: 's',
    queries: {
      'oldest unresolved': `max(ledger_oldest_unresolved_seconds{${own}})`,
      'oldest question that is due': `max(reconciler_oldest_due_seconds{${own}})`,
    },
  },
  {
    title: 'Found out by the reconciler, and corrected',
    unit: 'reqps',
    queries: {
      '{{outcome}}': `sum by (outcome) (rate(clients_found_out_total{${own}}[$__rate_interval]))`,
      'corrected {{from}} to {{to}}': `sum by (from, to) (rate(clients_corrected_total{${own}}[$__rate_interval]))`,
    },
  },
  {
    title: 'Circuit to FreedomPay that is not closed, by replica',
    unit: 'short',
    queries: { '{{instance}} {{state}}': `partner_circuit_state{${own},state!="closed"}` },
  },
  {
    title: 'Calls to FreedomPay in flight (places: PARTNER_MAX_IN_FLIGHT), by replica',
    unit: 'short',
    queries: { '{{instance}}': `partner_requests_in_flight{${own}}` },
  },
  {
    title: 'Creates sent again, by why that was safe',
    unit: 'reqps',
    queries: { '{{reason}}': `sum by (reason) (rate(partner_retries_total{${own}}[$__rate_interval]))` },
  },
  {
    title: 'What idempotency keys led to',
    unit: 'reqps',
    queries: { '{{result}}': `sum by (result) (rate(idempotency_total{${own}}[$__rate_interval]))` },
  },
  {
    title: 'Requests by caller',
    unit: 'reqps',
    queries: {
      '{{caller}} {{outcome}}': `sum by (caller, outcome) (rate(caller_requests_total{${own}}[$__rate_interval]))`,
    },
  },
  {
    title: 'Time of a call to the ledger',
    unit: 's',
    queries: {
      'p99 {{operation}}': quantile(0.99, `ledger_request_duration_seconds_bucket{${own}}`, 'le, operation'),
    },
  },
  {
    title: 'Event loop lag p99, by replica',
    unit: 's',
    queries: { '{{instance}}': `nodejs_eventloop_lag_p99_seconds{${own}}` },
  },
  {
    title: 'Memory, by replica',
    unit: 'bytes',
    queries: {
      'resident {{instance}}': `process_resident_memory_bytes{${own}}`,
      'heap {{instance}}': `nodejs_heap_size_used_bytes{${own}}`,
    },
  },
  {
    title: 'CPU, by replica',
    unit: 'short',
    queries: { '{{instance}}': `rate(process_cpu_seconds_total{${own}}[$__rate_interval])` },
  },
  {
    title: 'Log lines dropped, secrets that could not be read',
    unit: 'short',
    queries: {
      'dropped {{instance}}': `increase(log_lines_dropped_total{${own}}[$__rate_interval])`,
      'unreadable {{secret}}': `max by (secret) (secret_read_failed{${own}})`,
    },
  },
  {
    title: 'What is running',
    unit: 'short',
    queries: { '{{version}} {{commit}}': `count by (version, commit) (build_info{${own}})` },
  },
]
