import { hash } from 'node:crypto'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { launch, openPage, skip } from '../fixtures/browser.ts'
import { startTestService } from '../fixtures/service.ts'

/** Chooses an example in the operation's drop-down, sends it, and reads the answer that Swagger UI shows. */
async function tryOut(page: Page, example: string): Promise<{ status: string; body: Record<string, unknown> }> {
  const operation = page.locator('#operations-clients-createClient')
  await operation.locator('.opblock-section-request-body .examples-select select').selectOption(example)
  const answered = page.waitForResponse((response) => response.url().endsWith('/clients'))
  await operation.getByRole('button', { name: 'Execute' }).click()
  const statusCode = (await answered).status()
  const shown = operation.locator('.live-responses-table .response')
  const status = shown.locator('.response-col_status').filter({ hasText: String(statusCode) })
  await status.waitFor()
  const text = await shown.locator('.response-col_description .highlight-code code').first().innerText()
  return { status: (await status.innerText()).trim(), body: JSON.parse(text) }
}

t.test('Swagger UI creates a client, and shows a refusal as what it is', { skip }, async (t: Test) => {
  const service = await startTestService(t)
  const browser = await launch()
  try {
    const { page, origins, complaints } = await openPage(browser)
    await page.goto(`${service.url}/docs`)
    t.equal(await page.title(), 'freedompay-clients')
    const operation = page.locator('#operations-clients-createClient')
    await operation.locator('.opblock-body').waitFor()
    const key = operation.getByRole('textbox', { name: 'Idempotency-Key' })
    const firstKey = await key.inputValue()
    t.match(firstKey, /^[0-9a-f-]{36}$/, 'a key that nobody has used')

    const editor = operation.locator('textarea.body-param__text')
    await editor.waitFor()
    t.match(JSON.parse(await editor.inputValue()), { phone: '+998901234567' }, 'an example is filled in, ready to send')

    const created = await tryOut(page, 'created')
    t.equal(created.status, '201')
    t.match(created.body, { status: 'created', clientId: service.sandbox.clients()[0]?.clientId })
    t.equal(service.sandbox.clients().length, 1)

    t.not(await key.inputValue(), firstKey, 'the next try is another intent')

    const rejected = await tryOut(page, 'rejected')
    t.equal(rejected.status, '422')
    t.match(rejected.body, { code: 'partner-rejected', partner: { code: '1001' } })

    const everyMember = await tryOut(page, 'everyMember')
    t.equal(everyMember.status, '201')
    t.equal(service.sandbox.clients().length, 2)

    t.strictSame([...origins], [service.url], 'the page talks to the service and to nobody else')
    t.strictSame(complaints, [], 'the console is clean')
    await page.close()
  } finally {
    await browser.close()
  }
})

t.test('Swagger UI’s Authorize takes the credential that the service wants', { skip }, async (t: Test) => {
  const key = 'fpc_key-of-the-test'
  const folder = t.testdir({ keys: `billing-app:${hash('sha256', key)}` })
  const service = await startTestService(t, { settings: { AUTH: 'api-key', API_KEYS_FILE: join(folder, 'keys') } })
  const browser = await launch()
  try {
    const { page, origins, complaints } = await openPage(browser)
    await page.goto(`${service.url}/docs`)
    t.equal((await tryOut(page, 'created')).status, '401')
    await page.locator('.auth-wrapper > .btn.authorize').click()
    const dialog = page.locator('.dialog-ux')
    await dialog.locator('input').fill(key)
    await dialog.locator('button[type=submit]').click()
    await dialog.locator('.btn-done').click()
    t.equal((await tryOut(page, 'created')).status, '201')
    t.strictSame([...origins], [service.url])
    t.strictSame(complaints, [])
  } finally {
    await browser.close()
  }
})
t.test(
  'with DOCS=read nothing can be sent from the page, and the banner says live where it is',
  { skip },
  async (t: Test) => {
    const service = await startTestService(t, { settings: { DOCS: 'read' } })
    const browser = await launch()
    try {
      const { page } = await openPage(browser)
      await page.goto(`${service.url}/docs`)
      await page.locator('#operations-clients-createClient .opblock-body').waitFor()
      await page.getByText('"Try it out" is switched off').waitFor()
      t.equal(await page.getByRole('button', { name: 'Execute' }).count(), 0)
      t.equal(await page.getByRole('button', { name: 'Try it out' }).count(), 0)
    } finally {
      await browser.close()
    }
  },
)

t.test('the pages that explain problems are readable, in the light and in the dark', { skip }, async (t: Test) => {
  const service = await startTestService(t)
  const browser = await launch()
  try {
    const { page, origins, complaints } = await openPage(browser)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await page.goto(`${service.url}/problems`)
      t.equal(await page.locator('tr').count(), 18)
      await page.getByRole('link', { name: 'partner-rejected' }).click()
      await page.getByRole('heading', { name: 'FreedomPay rejected the client' }).waitFor()
      // The style is applied in spite of the page's own policy, and follows the reader's choice.
      const isDark = await page.evaluate(`matchMedia('(prefers-color-scheme: dark)').matches`)
      t.equal(isDark, colorScheme === 'dark')
      t.match(await page.evaluate(`getComputedStyle(document.body).fontFamily`), /sans-serif/)
      await page.getByRole('link', { name: 'All problems' }).click()
      await page.getByRole('heading', { name: 'Problems' }).waitFor()
    }
    t.strictSame([...origins], [service.url])
    t.strictSame(complaints, [])
  } finally {
    await browser.close()
  }
})
