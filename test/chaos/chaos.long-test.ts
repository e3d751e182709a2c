/** Killed and stopped processes, a bad line, a bad partner: what the ledger was told is there. */
import t from 'tap'
import { hasRedisServer } from './redis-server.ts'
import { testSuite } from './short-suite.ts'

const skipRedis = hasRedisServer() ? false : 'there is no redis-server on the PATH'

// One after another: seven processes at once starve each other on two cores, and callers give up.
// A suite ends as soon as all rows are settled; a busy machine needs long for that.
t.setTimeout(600_000)

testSuite(t, 'every promise is kept on a SQLite file, through kill -9', 'sqlite', false)
testSuite(t, 'every promise is kept by three replicas, through kill -9 of one and of Redis', 'redis', skipRedis)
testSuite(t, 'a partner that accepts repetitions gets none with PARTNER_RESEND=false', 'acceptingPartner', skipRedis)
