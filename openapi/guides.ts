/**
 * The guide for callers and the changelog as parts of HTML pages, for a service that runs without the repository. The service adds
 * the layout. Diagrams are not drawn, as a page runs no script: a sequence becomes a list, and the table after a flowchart says the same.
 */
import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { Marked } from 'marked'

export interface Guide {
  readonly source: string
  readonly file: URL
}

const toFile = (name: string) => new URL(`../src/plugins/docs-page/${name}.html`, import.meta.url)
export const guides: readonly Guide[] = [
  { source: 'docs/how-to-call-it.md', file: toFile('guide') },
  { source: 'CHANGELOG.md', file: toFile('changelog') },
]

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const escapeHtml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

export function renderGuide({ source }: Guide): string {
  const [, text = ''] = read(source).split(/^# .*\n/m)
  return renderMarkdown(text, posix.dirname(source), read)
}

/**
 * @param folder of the Markdown file, from the root of the repository: its links start there
 * @param readProgram an example that the text links to follows the text, as the reader may have no repository
 */
export function renderMarkdown(markdown: string, folder: string, readProgram: (path: string) => string): string {
  const programs = new Set<string>()
  const marked = new Marked({
    renderer: {
      code({ text, lang }) {
        if (lang === 'mermaid') return text.startsWith('sequenceDiagram') ? renderSequence(text) : ''
        return renderCode(text)
      },
      heading({ tokens, depth, text }) {
        return `<h${depth} id="${toId(text)}">${this.parser.parseInline(tokens)}</h${depth}>\n`
      },
      link({ href, tokens }) {
        const text = this.parser.parseInline(tokens)
        if (/^(https?:|#)/.test(href)) return `<a href="${escapeHtml(href)}">${text}</a>`
        const path = posix.join(folder, href)
        if (!path.startsWith('examples/')) return `${text} (in the repository: <code>${path}</code>)`
        programs.add(path)
        return `<a href="#${toId(path)}">${text}</a>`
      },
    },
  })
  const html = marked.parse(markdown, { async: false })
  const parts = [...programs].map(
    (path) => `<h3 id="${toId(path)}"><code>${path}</code></h3>\n${renderCode(readProgram(path).trimEnd())}`,
  )
  return parts.length === 0 ? html : `${html}<h2>Programs</h2>\n${parts.join('')}`
}

/** The keyboard reaches the block, as a wide one scrolls. */
function renderCode(text: string): string {
  return `<pre tabindex="0"><code>${escapeHtml(text)}</code></pre>\n`
}

function toId(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
}

/** Mermaid's messages and notes, one item each. @throws Error where a line is of another kind */
export function renderSequence(diagram: string): string {
  const names = new Map<string, string>()
  const items: string[] = []
  const nameOf = (id = '') => escapeHtml(names.get(id) ?? id)
  for (const line of diagram.split('\n').slice(1)) {
    const participant = /^\s*participant (\w+) as (.+)$/.exec(line)
    const message = /^\s*(\w+)--?>>(\w+): (.+)$/.exec(line)
    const note = /^\s*Note over [\w,]+: (.+)$/.exec(line)
    if (participant) names.set(String(participant[1]), String(participant[2]))
    else if (message)
      items.push(describeMessage(nameOf(message[1]), nameOf(message[2]), escapeHtml(String(message[3]))))
    else if (note) items.push(`<em>${escapeHtml(String(note[1]))}</em>`)
    else throw new Error(`A line of the diagram is of no known kind: ${line}`)
  }
  return `<ol>${items.map((item) => `\n<li>${item}</li>`).join('')}\n</ol>\n`
}

function describeMessage(from: string, to: string, text: string): string {
  return `<strong>${from === to ? from : `${from} → ${to}`}</strong>: ${text}`
}
