/**
 * Creates one client with the typed client of this repository; Node 24 and later run this file as it is:
 *   node examples/create.ts http://localhost:3000 +998901234567 order-17
 * The last word is the idempotency key: keep it with your order, and use it again whenever you are not sure.
 */
import { connect } from '../client/index.ts'

const [baseUrl = 'http://localhost:3000', phone = '+998901234567', key] = process.argv.slice(2)
const clients = connect({ baseUrl })
const outcome = await clients.create({ phone, firstName: 'Alisher', lastName: 'Navoiy' }, { ...(key && { key }) })

switch (outcome.status) {
  case 'created':
    console.log('created', outcome.requestId, outcome.clientId ?? '(its id is not known yet)')
    break
  case 'rejected':
    console.log('rejected', outcome.requestId, outcome.partner?.description ?? '')
    process.exitCode = 1
    break
  case 'invalid':
    console.log('invalid', outcome.why)
    for (const { pointer, message } of outcome.errors) console.log(' ', pointer, message)
    process.exitCode = 1
    break
  case 'unresolved':
    console.log('unresolved', outcome.why, '- go on later with the key', outcome.key)
    process.exitCode = 2
    break
  default:
    outcome satisfies never
}
