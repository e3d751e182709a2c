/** Which faults cost a connection. */
import { DatabaseError } from 'pg'
import t from 'tap'
import { ReadOnlyError } from '../../src/ledger/postgres-hosts.ts'
import { isFaultOfRow, isLost } from '../../src/ledger/postgres-pool.ts'

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

t.test('a group is tried again row by row only where the server undid it for what may lie in one row', async (t) => {
  for (const code of ['22008', '22P02', '23505', '40P01', '40001', '57014']) {
    t.equal(isFaultOfRow(saidByServer(code)), true, code)
  }
  for (const code of ['57P01', '25006', '53100', '53300', '42P01', '08006']) {
    t.equal(isFaultOfRow(saidByServer(code)), false, code)
  }
  t.equal(isFaultOfRow(new Error('Connection terminated')), false)
})
