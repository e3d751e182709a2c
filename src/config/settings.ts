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
  REQUEST_DEADLINE_MS: Ms(25_000, 'Everything one `POST /clients` may take, from the arrival of its headers'),
  CREATE_WAIT_MS: Ms(
    5000,
    'How long a create waits for a final outcome while FreedomPay says `process`, unless `Prefer` says otherwise',
    0,
  ),
  PARTNER_CONNECT_TIMEOUT_MS: Ms(3000, 'One connection to FreedomPay'),
  PARTNER_TIMEOUT_MS: Ms(15_000, 'One call to FreedomPay, from start to last byte'),
  PARTNER_KEEP_ALIVE_MS: Ms(
    4000,
    'How long an idle connection to FreedomPay is kept, unless its `Keep-Alive` hint says less',
  ),
  PARTNER_SETTLE_MS: Ms(2000, 'How long "no such request" must stand before the same request_id may be sent again', 0),
  PARTNER_ABSENT_MS: Ms(
    60_000,
    'How long "no such request" must stand, since the last moment at which a send may have left, before it is concluded from',
    0,
  ),
  PARTNER_DOUBT_MS: Ms(60_000, 'How long a doubtful "error" must stand before it is concluded from', 0),
  PARTNER_RESEND: Type.Boolean({
    default: true,
    description:
      '`false`: nothing is ever sent twice, until FreedomPay has confirmed the answer to a repeated request_id',
  }),
  PARTNER_MAX_IN_FLIGHT: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 64,
    description:
      'Creates that are being sent or asked about at once; more are refused with 503. One caller gets half of them while another is active. As many bodies over 128 KiB may be read at once',
  }),
  PARTNER_MAX_WAITING: Type.Integer({
    minimum: 0,
    maximum: 1_000_000,
    default: 2000,
    description: 'Callers that wait for an outcome; more are answered 202 at once',
  }),
  RECONCILER_CONCURRENCY: Type.Integer({
    minimum: 1,
    maximum: 1000,
    default: 16,
    description: 'Questions under way at once for outcomes that no caller waits for',
  }),
  LEDGER_URL: Type.String({
    pattern: '^(memory:|sqlite:/.+|rediss?://.+|postgres(ql)?://.+)$',
    default: 'memory:',
    description:
      '`memory:` · `sqlite:/path/ledger.db` · `redis://…` · `rediss://…` · `postgres://…`; required in production',
  }),
  LEDGER_KEY: Type.Optional(
    Text(
      'Key of the body fingerprints, at least 32 bytes, the same for every replica; derived from the secret key with `memory:`, else required',
    ),
  ),
  LEDGER_PREVIOUS_KEY: Type.Optional(
    Text('The key before a rotation: repeated idempotency keys from then are still recognised'),
  ),
  LEDGER_ACCOUNT: Type.Optional(
    Text('Name of the FreedomPay account that the ledger belongs to; host and auth id, hashed, by default'),
  ),
  LEDGER_RETENTION_HOURS: Type.Integer({
    minimum: 1,
    maximum: 87_600,
    default: 168,
    description: 'How long a finished request is remembered',
  }),
  AUTH: Type.Optional(
    Type.Enum(['none', 'api-key', 'jwt'], {
      description:
        'Who may call: `none` (everybody) · `api-key` · `jwt`; `none` by default, but in production it must be said',
    }),
  ),
  API_KEYS_FILE: Type.Optional(
    Text('With `AUTH=api-key`: a file with lines `caller:sha256-hex`, several per caller; read again every 10 s'),
  ),
  JWT_JWKS_URL: Type.Optional(Text('With `AUTH=jwt`: where the issuer publishes its keys')),
  JWT_ISSUER: Type.Optional(Text('With `AUTH=jwt`: `iss` of every token')),
  JWT_AUDIENCE: Type.Optional(Text('With `AUTH=jwt`: what `aud` of every token must name')),
  JWT_CALLER_CLAIM: Text('With `AUTH=jwt`: which claim names the caller', { default: 'sub' }),
  JWT_SCOPE: Type.Optional(Text('With `AUTH=jwt`: a scope that a token must have')),
  JWT_JWKS_TOKEN: Type.Optional(
    Text('Bearer token for `JWT_JWKS_URL`, read anew for each fetch; Kubernetes’ API server wants one'),
  ),
  JWT_JWKS_CA: Type.Optional(Text('Certificates in PEM to trust at `JWT_JWKS_URL` instead of the usual ones')),
  CALLER_RATE_PER_MINUTE: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 0,
    description: 'Requests that one caller may send in a minute, counted by each replica; `0` is any number',
  }),
  IDEMPOTENCY_KEY: Type.Enum(['optional', 'required'], {
    default: 'optional',
    description: '`optional` · `required`: a create without an Idempotency-Key is a 400',
  }),
  BASE_PATH: Type.String({
    pattern: '^(/(?!\\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*$',
    default: '',
    description: 'E.g. `/payments`: every public route, `Location`, `type` and `/docs` under it',
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
  PARTNER_TRACE_CONTEXT: Type.Boolean({
    default: false,
    description: '`true`: `traceparent` and `tracestate` go on to FreedomPay; `tracestate` is a text of the caller’s',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(
    Text('OTLP over HTTP: where spans go to, without `/v1/traces`; no spans where unset'),
  ),
  OTEL_TRACES_SAMPLER_ARG: Type.String({
    pattern: '^(0|1|0?\\.\\d{1,9}|1\\.0+)$',
    default: '1',
    description:
      'Share of the requests that are traced, from `0` to `1`, where the caller’s `traceparent` does not decide',
  }),
  SHUTDOWN_DELAY_MS: Ms(0, 'Pause between "not ready" and closing, for load balancers', 0),
})
export type Settings = Static<typeof Settings>
