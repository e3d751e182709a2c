import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { startService } from '../../src/service.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { launch, openPage, skip } from '../fixtures/browser.ts'
import { call } from '../fixtures/service.ts'

t.test(
  'the sandbox’s page shows a create while it happens, readable in the dark on a telephone',
  { skip },
  async (t: Test) => {
    const service = await startService(loadConfig({ PORT: '0', OPS_PORT: '0' }), createLogger('fatal'), 'test')
    t.teardown(() => service.stop())
    const examiner = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    const browser = await launch()
    try {
      const plain = await openPage(browser)
      await plain.page.goto(`${service.url}/sandbox`)
      const body = JSON.stringify({ phone: '+998901234003' })
      await call(`${service.url}/clients`, 'POST', { 'content-type': 'application/json' }, body)
      await plain.page.getByText('plays: created, then the connection is cut').waitFor()
      await plain.page.getByText('says created').waitFor()
      t.strictSame(plain.complaints, [])

      const context = await browser.newContext({
        viewport: { width: 390, height: 900 },
        colorScheme: 'dark',
        bypassCSP: true,
      })
      const page = await context.newPage()
      await page.goto(`${service.url}/sandbox`)
      await page.getByText('says created').waitFor()
      t.equal(await page.evaluate('document.documentElement.scrollWidth'), 390)
      await page.evaluate(examiner)
      const { violations } = (await page.evaluate('axe.run()')) as { violations: { id: string; impact: string }[] }
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      t.strictSame(
        serious.map(({ id }) => id),
        [],
      )
    } finally {
      await browser.close()
    }
  },
)
