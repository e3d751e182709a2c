/** The chart of the README, written by hand: bars for CPU per request, lines for throughput over concurrency. */
import { type CandidateName, candidates } from './candidates.ts'
import { compared } from './loads.ts'
import type { Results } from './results.ts'
import { compareRounds } from './rounds.ts'

interface Bar {
  readonly title: string
  readonly kind: 'floor' | 'service' | 'other' | 'part'
  readonly value: number
  readonly ratio: string
}

const width = 860
const labelWidth = 290
const barWidth = 430
const rowHeight = 24

// A picture in a page takes the reader's scheme from the browser, not from the page.
const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 14px }
  .note { fill: #59636e; font-size: 12px }
  .axis { stroke: #d1d9e0 }
  .floor { fill: #8c959f; stroke: #8c959f }
  .service { fill: #1f7a4d; stroke: #1f7a4d }
  .other { fill: #b35900; stroke: #b35900 }
  .other2 { fill: #8250df; stroke: #8250df }
  .part { fill: #b359004d; stroke: #b35900; stroke-dasharray: 4 3 }
  .line { fill: none; stroke-width: 2.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .note { fill: #9198a1 }
    .axis { stroke: #3d444d }
    .floor { fill: #9198a1; stroke: #9198a1 }
    .service { fill: #3fb950; stroke: #3fb950 }
    .other { fill: #f0883e; stroke: #f0883e }
    .other2 { fill: #a371f7; stroke: #a371f7 }
    .part { fill: #f0883e4d; stroke: #f0883e }
  }`

export function drawChart(results: Results): string {
  const panels: string[] = []
  let top = 20
  for (const [load, title] of [
    ['typical', 'CPU per create, typical body (600 bytes), µs — less is better'],
    ['document-2m', 'CPU per create, document of 2 MiB, ms — less is better'],
  ] as const) {
    const bars = collectBars(results, load)
    if (bars.length === 0) continue
    panels.push(drawBars(bars, title, top, load === 'typical' ? formatMicroseconds : formatMilliseconds))
    top += 42 + bars.length * rowHeight
  }
  const lines = collectLines(results)
  if (lines.length > 0) {
    panels.push(drawLines(lines, top))
    top += 280
  }
  const note =
    '* forwards one signed call only: it validates, maps and injects nothing and asks for no status, so it cannot do the job'
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top + 20}" role="img" aria-label="What a create costs, beside what one would use instead">
<style>${style}
</style>
${panels.join('\n')}
<text class="note" x="16" y="${top}">${note}</text>
<text class="note" x="16" y="${top + 16}">${describeRun(results)}</text>
</svg>
`
}

function describeRun({ environment, timing }: Results): string {
  const { node, processor, cores } = environment
  return escapeText(
    `Medians of ${timing.rounds} interleaved rounds; Node ${node}, ${processor}, ${cores} cores shared with load and partner`,
  )
}

function collectBars(results: Results, load: string): Bar[] {
  const outcomes = results.loads[load] ?? {}
  return candidates.flatMap(({ name, title, doesTheJob }) => {
    const outcome = outcomes[name]
    if (outcome === undefined) return []
    const ratio = compareRounds(outcome, outcomes.floor, ({ cpuMicroseconds }) => cpuMicroseconds)
    return [
      {
        title,
        kind: doesTheJob ? kindOf(name) : 'part',
        value: outcome.median.cpuMicroseconds,
        ratio: ratio === undefined ? '' : `${ratio.toFixed(2)} ×`,
      },
    ]
  })
}

function kindOf(name: CandidateName): 'floor' | 'service' | 'other' {
  if (name === 'floor') return 'floor'
  return name.startsWith('service') ? 'service' : 'other'
}

function drawBars(bars: readonly Bar[], title: string, top: number, format: (value: number) => string): string {
  const longest = Math.max(...bars.map(({ value }) => value))
  const rows = bars.map(({ title: label, kind, value, ratio }, index) => {
    const y = top + 16 + index * rowHeight
    const length = Math.max(1, (value / longest) * barWidth)
    return `<text x="${labelWidth - 8}" y="${y + 14}" text-anchor="end">${escapeText(label)}</text>
<rect class="${kind}" x="${labelWidth}" y="${y + 2}" width="${length.toFixed(1)}" height="16" rx="2"/>
<text x="${(labelWidth + length + 8).toFixed(1)}" y="${y + 14}">${format(value)} <tspan class="note">${ratio}</tspan></text>`
  })
  return `<text class="title" x="16" y="${top}">${escapeText(title)}</text>\n${rows.join('\n')}`
}

interface Line {
  readonly title: string
  readonly kind: string
  readonly points: readonly (number | undefined)[]
}

const concurrencies = [1, 16, 64, 256]

function collectLines(results: Results): Line[] {
  const names = ['concurrency-1', 'typical', 'concurrency-64', 'concurrency-256']
  return compared.flatMap((name) => {
    const points = names.map((load) => results.loads[load]?.[name]?.median.requestsPerSecond)
    const kind = name === 'nest' ? 'other2' : kindOf(name)
    const title = candidates.find((candidate) => candidate.name === name)?.title ?? name
    return points.includes(undefined) ? [] : [{ title, kind, points }]
  })
}

function drawLines(lines: readonly Line[], top: number): string {
  const [left, plotWidth, plotHeight] = [80, 480, 200]
  const highest = Math.max(...lines.flatMap(({ points }) => points.map((point) => point ?? 0)))
  const bottom = top + 20 + plotHeight
  const x = (index: number) => left + (index / (concurrencies.length - 1)) * plotWidth
  const y = (value: number) => bottom - (value / highest) * plotHeight
  const axis = [0, 0.5, 1].map((share) => {
    const at = y(share * highest)
    return `<line class="axis" x1="${left}" x2="${left + plotWidth}" y1="${at}" y2="${at}"/><text class="note" x="${left - 8}" y="${at + 4}" text-anchor="end">${Math.round(share * highest)}</text>`
  })
  const ticks = concurrencies.map(
    (connections, index) =>
      `<text class="note" x="${x(index)}" y="${bottom + 18}" text-anchor="middle">${connections}</text>`,
  )
  const drawn = lines.map(({ title, kind, points }, index) => {
    const path = points.map((point, at) => `${x(at).toFixed(1)},${y(point ?? 0).toFixed(1)}`).join(' ')
    const legendY = top + 30 + index * 22
    return `<polyline class="line ${kind}" style="fill:none" points="${path}"/>
<rect class="${kind}" x="${left + plotWidth + 24}" y="${legendY - 10}" width="12" height="12" rx="2"/>
<text x="${left + plotWidth + 44}" y="${legendY}">${escapeText(title)}</text>`
  })
  return `<text class="title" x="16" y="${top}">Creates per second over connections, typical body — more is better</text>
${axis.join('\n')}
${ticks.join('\n')}
${drawn.join('\n')}`
}

const formatMicroseconds = (value: number) => value.toFixed(0)
const formatMilliseconds = (value: number) => (value / 1000).toFixed(1)

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
