/** The one layout of the pages for people: /problems and the guides under /docs. */
import { createHash } from 'node:crypto'

const style = `
:root { color-scheme: light dark; background: #fff; color: #1b1f24 }
a { color: #0b57d0 }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code { font-size: .9em } td:first-child code { white-space: nowrap } 
pre { overflow-x: auto; padding: .8rem; background: #8882; border-radius: 4px } pre code { white-space: pre }
table { border-collapse: collapse } th, td { text-align: left; vertical-align: top; padding: .3rem .8rem; border-bottom: 1px solid #8886 }
@media (prefers-color-scheme: dark) { :root { background: #121417; color: #e4e6eb } a { color: #8ab8ff } }
@media (max-width: 40rem) {
  body { margin: 1rem auto; overflow-wrap: anywhere } tr, td { display: block } thead { display: none }
  tr { padding: .6rem 0; border-bottom: 1px solid #8886 } td { padding: 0; border: 0 } td:first-child { font-weight: 600 } td:first-child code { white-space: normal }
  .problems td:first-child::before { content: 'HTTP ' } .problems td:last-child::before { content: 'Safe to retry: ' }
}
`

/** The page loads only its own style. Its icon is empty, so that browsers do not ask for `/favicon.ico`. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The body is HTML already. */
export function renderHtml(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>${title}</title><style>${style}</style><main><h1>${title}</h1>${body}</main></html>`
}
