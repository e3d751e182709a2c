import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import t, { type Test } from 'tap'
import { launch, skip } from '../fixtures/browser.ts'
import { startTestService } from '../fixtures/service.ts'

t.test(
  'no page has a serious fault for those who cannot see well, and none is wider than its window',
  { skip },
  async (t: Test) => {
    const service = await startTestService(t)
    const examiner = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    const browser = await launch()
    try {
      for (const [width, colorScheme] of [
        [1280, 'light'],
        [390, 'dark'],
      ] as const) {
        // The pages' own policy would keep the examiner out.
        const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true })
        const page = await context.newPage()
        for (const path of ['/', '/docs/guide', '/docs/changelog', '/problems', '/problems/partner-rejected']) {
          await page.goto(`${service.url}${path}`)
          if (path === '/') {
            t.equal(page.url(), `${service.url}/docs`, 'the address alone leads to the documentation')
            await page.locator('textarea.body-param__text').waitFor()
            await page.getByText('This service talks to FreedomPay').waitFor()
          }
          t.equal(await page.evaluate('document.documentElement.scrollWidth'), width, `${path} at ${width}`)
          await page.evaluate(examiner)
          const { violations } = (await page.evaluate('axe.run()')) as {
            violations: { id: string; impact: string; nodes: { html: string }[] }[]
          }
          const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
          t.strictSame(
            serious.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
            [],
            `${path} ${width} ${colorScheme}`,
          )
        }
        await context.close()
      }
    } finally {
      await browser.close()
    }
  },
)
