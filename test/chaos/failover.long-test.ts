/** A ledger that fails over, and one that forgets. */
import t from 'tap'
import { skipPostgres } from '../fixtures/postgres.ts'
import { hasRedisServer } from './redis-server.ts'
import { testSuite } from './short-suite.ts'

const skipRedis = hasRedisServer() ? false : 'there is no redis-server on the PATH'

t.jobs = 2
// A suite ends as soon as all rows are settled; a busy machine needs long for that.
t.setTimeout(400_000)

testSuite(t, 'no claim is lost in a failover of PostgreSQL', 'postgres', skipPostgres)
testSuite(t, 'no intent has two clients after Redis has lost its last second', 'forgetfulRedis', skipRedis)
