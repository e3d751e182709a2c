/** Every setting of the service: its name, its default, its meaning. */
import Type, { type Static } from 'typebox'
import { type Region, regions } from '../partner/regions.ts'
import { logLevels } from '../telemetry/logger.ts'
import type { Reading } from './read-environment.ts'

const maxTimerMs = 2 ** 31 - 1
const Port = (fallback: number, description: string) =>
  Type.Integer({ minimum: 0, maximum: 65535, default: fallback, description })
const Ms = (fallback: number, description: string, minimum = 1) =>
  Type.Integer({ minimum, maximum: maxTimerMs, default: fallback, description })
const Text = (description: string, options: { default?: string } = {}) => Type.String({ description, ...options })

/** Every setting by its name in the environment. The table in docs/reference.md is made from these descriptions. */
export const Settings = Type.Object({
  HOST: Text('Address or host name that both listeners bind to; the image sets `0.0.0.0`', { default: '127.0.0.1' }),
  PORT: Port(3000, 'Port of the API'),
  OPS_PORT: Port(3001, 'Port of `/metrics`, `/livez` and `/readyz`'),
  LOG_LEVEL: Type.Enum([...logLevels], { default: 'info', description: 'pino level' }),
  FREEDOMPAY_REGION: Type.Enum(Object.keys(regions) as Region[], {
    default: 'uz',
    description: '`uz` · `kz` · `kg`: host, signature and required members',
  }),
  FREEDOMPAY_BASE_URL: Type.Optional(
    Text('Origin of FreedomPay if it is not the region’s, e.g. of the test host or a sandbox'),
  ),
  FREEDOMPAY_SIGNATURE: Type.Optional(
    Type.Enum(['jws', 'sign'], {
      description: '`jws` · `sign`; by default the one of the region: `sign` in kg, `jws` elsewhere',
    }),
  ),
  FREEDOMPAY_AUTH_ID: Type.Optional(Text('Credential: our identifier at FreedomPay')),
  FREEDOMPAY_SECRET_KEY: Type.Optional(Text('Credential: the key that signs the requests')),
  FREEDOMPAY_PRODUCT_ID: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 999_999_999,
      description: 'The product of a body without `productId`; required, except with the sandbox',
    }),
  ),
  FREEDOMPAY_BRANCH_ID: Type.Optional(
    Text('The branch of a body without `branchId`; where unset, FreedomPay’s default'),
  ),
  FREEDOMPAY_ALLOWED_PRODUCT_IDS: Type.Optional(
    Text('Comma-separated: other products that a caller may name; where unset, only the default'),
  ),
  FREEDOMPAY_ALLOWED_BRANCH_IDS: Type.Optional(
    Text('Comma-separated: other branches that a caller may name; where unset, only the default'),
  ),
  FREEDOMPAY_REQUIRED: Text('Comma-separated: more members of the body that are required, e.g. `personId,document`', {
    default: '',
  }),
  FREEDOMPAY_DUPLICATE_CODES: Text('Comma-separated: FreedomPay’s error codes for a request_id that is not unique', {
    default: '1002',
  }),
  FREEDOMPAY_NOT_FOUND_CODES: Text('Comma-separated: FreedomPay’s error codes for "no such request"', {
    default: '1006',
  }),
  REQUEST_DEADLINE_MS: Ms(
    25_000,
    'The longest that one `POST /clients` may take, from the arrival of its headers. If the ledger does not answer, the answer may come half a second later',
  ),
  CREATE_WAIT_MS: Ms(
    5000,
    'How long a create waits for a final outcome while FreedomPay says `process`, unless `Prefer` says otherwise',
    0,
  ),
  PARTNER_CONNECT_TIMEOUT_MS: Ms(3000, 'The longest that opening one connection to FreedomPay may take'),
  PARTNER_TIMEOUT_MS: Ms(15_000, 'The longest that one call to FreedomPay may take, from start to last byte'),
  PARTNER_KEEP_ALIVE_MS: Ms(
    4000,
    'How long an idle connection to FreedomPay is kept; a shorter `Keep-Alive` hint of FreedomPay counts instead',
  ),
  PARTNER_SETTLE_MS: Ms(
    2000,
    'How long FreedomPay must have answered "no such request" before the same request_id may be sent again',
    0,
  ),
  PARTNER_ABSENT_MS: Ms(
    60_000,
    'How long after the last possible send FreedomPay must still answer "no such request" before the outcome is `not-created`',
    0,
  ),
  PARTNER_DOUBT_MS: Ms(
    60_000,
    'How long FreedomPay must have answered a doubtful "error" before the outcome is `rejected`',
    0,
  ),
  PARTNER_RESEND: Type.Boolean({
    default: true,
    description:
      '`false`: no create is ever sent twice. Use it until FreedomPay has confirmed how it answers a repeated request_id',
  }),
  PARTNER_MAX_IN_FLIGHT: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 64,
    description:
      'Creates that may be sent or asked about at once; more are refused with 503. A create that only waits while FreedomPay says `process` holds no place. One caller gets half of the places while another caller is active. The same number of bodies over 128 KiB may be read at once, shared in the same way',
  }),
  PARTNER_MAX_WAITING: Type.Integer({
    minimum: 0,
    maximum: 1_000_000,
    default: 2000,
    description: 'Callers that may wait for an outcome at once; more are answered with 202 immediately',
  }),
  RECONCILER_CONCURRENCY: Type.Integer({
    minimum: 1,
    maximum: 1000,
    default: 16,
    description: 'Questions to FreedomPay that the reconciler may have under way at once',
  }),
  LEDGER_URL: Type.String({
    pattern: '^(memory:|sqlite:/.+|rediss?://.+|postgres(ql)?://.+)$',
    default: 'memory:',
    description:
      '`memory:` · `sqlite:/path/ledger.db` · `redis://…` · `rediss://…` · `postgres://…`; required in production',
  }),
  LEDGER_KEY: Type.Optional(
    Text(
      'Key of the body fingerprints, at least 32 bytes, the same for every replica; required, except with `memory:`, where it is derived from the secret key',
    ),
  ),
  LEDGER_PREVIOUS_KEY: Type.Optional(
    Text('The `LEDGER_KEY` before a rotation, so that bodies of earlier requests are still recognised'),
  ),
  LEDGER_ACCOUNT: Type.Optional(
    Text('Name of the FreedomPay account that the ledger belongs to; by default a hash of host and auth id'),
  ),
  LEDGER_RETENTION_HOURS: Type.Integer({
    minimum: 1,
    maximum: 87_600,
    default: 168,
    description: 'How long the ledger keeps a create after its final outcome',
  }),
  AUTH: Type.Optional(
    Type.Enum(['none', 'api-key', 'jwt'], {
      description:
        'Who may call: `none` (every caller) · `api-key` · `jwt`; `none` by default, but in production it must be set',
    }),
  ),
  API_KEYS_FILE: Type.Optional(
    Text('With `AUTH=api-key`: a file with lines `caller:sha256-hex`, several per caller; read again every 10 s'),
  ),
  JWT_JWKS_URL: Type.Optional(Text('With `AUTH=jwt`: address of the issuer’s public keys (JWKS)')),
  JWT_ISSUER: Type.Optional(Text('With `AUTH=jwt`: the `iss` that every token must have')),
  JWT_AUDIENCE: Type.Optional(Text('With `AUTH=jwt`: the audience that `aud` of every token must name')),
  JWT_CALLER_CLAIM: Text('With `AUTH=jwt`: the claim that names the caller', { default: 'sub' }),
  JWT_SCOPE: Type.Optional(Text('With `AUTH=jwt`: a scope that a token must have')),
  JWT_JWKS_TOKEN: Type.Optional(
    Text('Bearer token for `JWT_JWKS_URL`, read again for each fetch; Kubernetes’ API server requires one'),
  ),
  JWT_JWKS_CA: Type.Optional(Text('Certificates in PEM that are trusted at `JWT_JWKS_URL` instead of Node’s own')),
  CALLER_RATE_PER_MINUTE: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 0,
    description:
      'Requests that one caller may send in a minute: to all replicas where the ledger is Redis, otherwise to each; `0`: no limit',
  }),
  IDEMPOTENCY_KEY: Type.Enum(['optional', 'required'], {
    default: 'optional',
    description: '`optional` · `required`: a create without an Idempotency-Key is a 400',
  }),
  BASE_PATH: Type.String({
    pattern: '^(/(?!\\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*$',
    default: '',
    description: 'E.g. `/payments`: in front of every public route, of `Location`, and of `type` of a problem',
  }),
  TRUST_PROXY: Text('Proxies whose `X-Forwarded-*` headers are believed: `false`, a number of hops, or addresses', {
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
    description: '`true`: FreedomPay gets `traceparent` and `tracestate`; the caller chooses the text of `tracestate`',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(
    Text('Address of the collector (OTLP over HTTP), without `/v1/traces`; where unset, no spans are sent'),
  ),
  OTEL_TRACES_SAMPLER_ARG: Type.String({
    pattern: '^(0|1|0?\\.\\d{1,9}|1\\.0+)$',
    default: '1',
    description:
      'Share of the requests that are traced, from `0` to `1`; a caller’s `traceparent` decides for its own request',
  }),
  SHUTDOWN_DELAY_MS: Ms(0, 'Pause between "not ready" and closing, so that load balancers stop sending requests', 0),
})
export type Settings = Static<typeof Settings>
export type SettingName = keyof Settings
export type SettingsReading = Reading<Settings>
