import t from 'tap'
import { isCallerName } from '../../src/auth/caller.ts'

for (const name of ['billing-app', 'system:serviceaccount:billing:default', '!', '~', 'a'.repeat(255), 'Anonymous']) {
  t.test(`${name.slice(0, 40)} names a caller`, async (t) => t.ok(isCallerName(name)))
}

for (const name of [
  '',
  'a b',
  'a\n',
  '\ta',
  'ключ',
  'a\x7f',
  'a'.repeat(256),
  'anonymous',
  undefined,
  null,
  7,
  ['a'],
  {},
]) {
  t.test(`${JSON.stringify(name)?.slice(0, 40)} names none`, async (t) => t.notOk(isCallerName(name)))
}
