/** Every setting of the service: its name, its default, what it means. */
import Type, { type Static } from 'typebox'
import { type Region, regions } from '../partner/regions.ts'
import { logLevels } from '../telemetry/logger.ts'

const maxTimerMs = 2 ** 31 - 1
const Port = (fallback: number, description: string) =>
  Type.Integer({ minimum: 0, maximum: 65535, default: fallback, description })
const Ms = (fallback: number, description: string, minimum = 1) =>
  Type.Integer({ minimum, maximum: maxTimerMs, default: fallback, description })
const Text = (description: string, options: { default?: string } = {}) => Type.String({ description, ...options })

/** Every setting by its name in the environment; the README's table is made from this. */
export const Settings = Type.Object({
  HOST: Text('Address that both listeners bind to; the image sets `0.0.0.0`', { default: '127.0.0.1' }),
  PORT: Port(3000, 'Port of the API'),
  OPS_PORT: Port(3001, 'Port of `/metrics`, `/livez` and `/readyz`'),
  LOG_LEVEL: Type.Enum([...logLevels], { default: 'info', description: 'pino level' }),
  FREEDOMPAY_REGION: Type.Enum(Object.keys(regions) as Region[], {
    default: 'uz',
    description: '`uz` · `kz` · `kg`: host, signature and required members',
  }),
  FREEDOMPAY_BASE_URL: Type.Optional(Text('Another host than the region’s, e.g. the test host or a sandbox')),
  FREEDOMPAY_SIGNATURE: Type.Optional(
    Type.Enum(['jws', 'sign'], {
      description: '`jws` · `sign`; the region’s by default: `sign` in kg, `jws` elsewhere',
    }),
  ),
  FREEDOMPAY_AUTH_ID: Type.Optional(Text('Credential: our identifier at FreedomPay')),
  FREEDOMPAY_SECRET_KEY: Type.Optional(Text('Credential: the key that signs')),
  FREEDOMPAY_PRODUCT_ID: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 999_999_999,
      description: 'The product that is injected; required, but for the sandbox',
    }),
  ),
  FREEDOMPAY_BRANCH_ID: Type.Optional(Text('The branch that is injected; FreedomPay has a default of its own')),
  FREEDOMPAY_ALLOWED_PRODUCT_IDS: Type.Optional(
    Text('Comma-separated: what a caller may ask for instead; the default alone where unset'),
  ),
  FREEDOMPAY_ALLOWED_BRANCH_IDS: Type.Optional(
    Text('Comma-separated: what a caller may ask for instead; the default alone where unset'),
  ),
  FREEDOMPAY_REQUIRED: Text('Comma-separated members of our body that are required as well, e.g. `personId,document`', {
    default: '',
  }),
  FREEDOMPAY_DUPLICATE_CODES: Text('Comma-separated codes by which FreedomPay says that a request_id is not unique', {
    default: '1002',
  }),
  FREEDOMPAY_NOT_FOUND_CODES: Text('Comma-separated codes by which FreedomPay says that it has no such request', {
    default: '1006',
  }),
  REQUEST_DEADLINE_MS: Ms(25_000, 'Everything one `POST /clients` may take'),
  CREATE_WAIT_MS: Ms(
    5000,
    'How long a create waits for a final outcome while FreedomPay says `process`, unless `Prefer` says otherwise',
    0,
  ),
  PARTNER_CONNECT_TIMEOUT_MS: Ms(3000, 'One connection to FreedomPay'),
  PARTNER_TIMEOUT_MS: Ms(15_000, 'One call to FreedomPay, from start to last byte'),
  PARTNER_SETTLE_MS: Ms(2000, 'How long "no such request" must stand before it is believed', 0),
  PARTNER_MAX_IN_FLIGHT: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 64,
    description: 'Creates in flight; more are refused with 503',
  }),
  LEDGER_URL: Type.String({
    pattern: '^(sqlite:.+|rediss?://.+)$',
    default: 'sqlite::memory:',
    description: '`sqlite::memory:` · `sqlite:/path/ledger.db` · `redis://…` · `rediss://…`',
  }),
  LEDGER_KEY: Type.Optional(
    Text(
      'Key of the body fingerprints, at least 32 bytes, the same for every replica; random per process with `sqlite::memory:`, else required',
    ),
  ),
  LEDGER_RETENTION_HOURS: Type.Integer({
    minimum: 1,
    maximum: 87_600,
    default: 168,
    description: 'How long a finished request is remembered',
  }),
  TRUST_PROXY: Text('Addresses in front whose `X-Forwarded-*` are believed, or their number of hops', {
    default: 'false',
  }),
  DOCS: Type.Optional(
    Type.Enum(['try', 'read', 'off'], {
      description:
        '`/docs`: `try` with "Try it out" (the default) · `read` without it (the default in production) · `off`',
    }),
  ),
  SHUTDOWN_DELAY_MS: Ms(0, 'Pause between "not ready" and closing, for load balancers', 0),
})
export type Settings = Static<typeof Settings>
