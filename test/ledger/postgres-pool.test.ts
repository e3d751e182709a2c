/** Which faults cost a connection. */
import { DatabaseError } from 'pg'
import t from 'tap'
import { ReadOnlyError } from '../../src/ledger/postgres-hosts.ts'
import { isLost } from '../../src/ledger/postgres-pool.ts'

function saidByServer(code: string): DatabaseError {
  const error = new DatabaseError('no', 2, 'error')
  error.code = code
  return error
}

t.test('a fault of the network costs the connection, whatever its code looks like', async (t) => {
  for (const code of ['EPIPE', 'ECONNRESET', 'ETIMEDOUT']) {
    t.equal(isLost(Object.assign(new Error('no'), { code })), true, code)
  }
  t.equal(isLost(new Error('Connection terminated')), true)
})

t.test('of the server’s words only those cost it that mean the connection or the host', async (t) => {
  for (const code of ['57P01', '57P02', '57P03', '25006', '08006', '42P01', 'XX000']) {
    t.equal(isLost(saidByServer(code)), true, code)
  }
  t.equal(isLost(new ReadOnlyError()), true)
  for (const code of ['57014', '53100', '23505', '40P01', '55P03']) t.equal(isLost(saidByServer(code)), false, code)
})
