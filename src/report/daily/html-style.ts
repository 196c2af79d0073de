import { Markup } from './markup.ts'

const SANS = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
const MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono',monospace"

/**
 * Styles by class. They stand in each element as well: many mail clients drop the style sheet, which then only adds
 * what is dark or narrow.
 */
const STYLES = {
  page: `margin:0;padding:0;background:#f3f4f6;color:#1b2027;font:16px/1.5 ${SANS};-webkit-text-size-adjust:100%`,
  outer: 'width:100%;background:#f3f4f6;border-collapse:collapse',
  frame: 'padding:24px 12px 40px',
  sheet: 'max-width:680px;margin:0 auto;text-align:left',
  head: 'margin:0;padding:0 4px 14px;color:#59626e;font-size:14px;line-height:1.5',
  hero: 'padding:24px 28px;border-radius:10px;background:#ffffff;border-left:6px solid',
  'hero-good': 'background:#e9f5ee;border-color:#1a7548',
  'hero-attention': 'background:#fdf4de;border-color:#a86e00',
  'hero-bad': 'background:#fdeceb;border-color:#b3261e',
  verdict: 'margin:0;font-size:28px;line-height:1.2;font-weight:700;letter-spacing:-0.01em',
  reason: 'margin:8px 0 0;font-size:17px;line-height:1.45;overflow-wrap:anywhere',
  also: 'margin:14px 0 0;padding:0 0 0 20px;font-size:15px;overflow-wrap:anywhere',
  'also-item': 'margin:0 0 4px',
  section: 'margin:16px 0 0;padding:22px 28px 24px;border-radius:10px;background:#ffffff',
  h2: 'margin:0 0 14px;font-size:16px;line-height:1.3;font-weight:650',
  fact: 'display:inline-block;vertical-align:top;width:142px;margin:0 12px 14px 0',
  'fact-name': 'display:block;color:#59626e;font-size:13px',
  'fact-value':
    'display:block;font-size:21px;line-height:1.3;font-weight:600;font-variant-numeric:tabular-nums',
  'fact-more': 'display:block;color:#59626e;font-size:13px',
  muted: 'color:#59626e',
  small: 'margin:0;color:#59626e;font-size:13px;line-height:1.5;overflow-wrap:anywhere',
  mono: `font-family:${MONO};font-size:13px;overflow-wrap:anywhere`,
  table: 'width:100%;border-collapse:collapse;font-size:15px',
  th: 'padding:0 12px 6px 0;color:#59626e;font-size:13px;font-weight:400;text-align:left;vertical-align:bottom',
  'th-right':
    'padding:0 0 6px 12px;color:#59626e;font-size:13px;font-weight:400;text-align:right;vertical-align:bottom',
  'td-name':
    'padding:8px 12px 8px 24px;text-indent:-24px;border-top:1px solid #e4e7eb;text-align:left;vertical-align:top;font-weight:400;overflow-wrap:anywhere',
  td: 'padding:8px 12px 8px 0;border-top:1px solid #e4e7eb;text-align:left;vertical-align:top;font-weight:400;overflow-wrap:anywhere',
  'td-right':
    'padding:8px 0 8px 12px;border-top:1px solid #e4e7eb;text-align:right;vertical-align:top;white-space:nowrap;font-variant-numeric:tabular-nums',
  finding: 'padding:0 0 8px 24px;font-size:14px;overflow-wrap:anywhere',
  mark: 'display:inline-block;width:24px;text-indent:0;font-weight:700',
  good: 'color:#1a7548',
  attention: 'color:#8a5800',
  bad: 'color:#b3261e',
  strip: 'width:100%;table-layout:fixed;border-collapse:collapse',
  cell: 'padding:0 1px;text-align:center',
  day: 'display:block;height:22px;border-radius:3px;font-size:11px;line-height:22px;font-weight:700;overflow:hidden;box-sizing:border-box',
  'day-pass': 'background:#1a7548;color:#ffffff',
  'day-fail': 'background:#b3261e;color:#ffffff',
  'day-damaged': 'background:#b3261e;color:#ffffff',
  'day-incomplete': 'background:#f0c14b;color:#3d2b00',
  'day-open': 'background:#dbe2ec;color:#3b4653',
  'day-missed': 'border:1px dashed #b3261e;color:#b3261e;line-height:20px',
  'day-unknown': 'background:#f0f2f4;color:#59626e',
  'day-idle': 'background:#f0f2f4;color:#59626e',
  axis: 'width:100%;border-collapse:collapse;color:#59626e;font-size:12px',
  'axis-left': 'padding:4px 0 0;text-align:left',
  'axis-right': 'padding:4px 0 0;text-align:right',
  legend: 'margin:4px 0 0;color:#59626e;font-size:13px;line-height:1.5',
  plot: 'margin:20px 0 0',
  'plot-head': 'width:100%;margin:0 0 4px;border-collapse:collapse;font-size:14px',
  'plot-name': 'padding:0 12px 0 0;white-space:nowrap;text-align:left;vertical-align:baseline',
  'plot-range':
    'padding:0;text-align:right;vertical-align:baseline;color:#59626e;font-size:13px;font-variant-numeric:tabular-nums',
  key: 'text-indent:0',
  below: 'margin:14px 0 0',
  list: 'margin:0;padding:0 0 0 18px;font-size:14px;line-height:1.5;overflow-wrap:anywhere',
  'list-item': 'margin:0 0 6px',
  foot: 'margin:18px 4px 0;color:#59626e;font-size:13px;line-height:1.5;overflow-wrap:anywhere',
  // Hooks of the style sheet.
  checks: '',
  check: '',
  expected: '',
  hidden:
    'position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap;mso-hide:all',
} as const satisfies Record<string, string>

export type StyleName = keyof typeof STYLES

/** `class="…" style="…"` */
export function css(...names: StyleName[]): Markup {
  const style = names
    .map((name) => STYLES[name])
    .filter((each) => each !== '')
    .join(';')
  return new Markup(`class="${names.join(' ')}"${style && ` style="${style}"`}`)
}

/** What attributes cannot say. The inline styles give way to what is marked as important only. */
export const STYLE_SHEET = new Markup(`
:root{color-scheme:light dark}
.chart{display:block}
@media (max-width:520px){
.frame{padding:14px 8px 28px!important}
.hero{padding:20px 18px!important}
.section{padding:18px 18px 20px!important}
.fact{width:46%!important;margin-right:2%!important}
.check,.check>th,.check>td{display:block!important;padding-right:0!important}
.check>td{border-top:0!important;padding-top:0!important;padding-left:24px!important}
.check>th{padding-bottom:2px!important}
.check>.expected{color:#59626e!important;font-size:14px!important;padding-bottom:0!important}
.check>.expected::before{content:"expected: "}
.checks thead{display:none!important}
.cell{padding:0!important}
.day{font-size:9px!important;border-radius:2px!important;margin:0 .5px!important}
}
@media (prefers-color-scheme:dark){
.page,.outer{background:#111418!important;color:#e6e9ee!important}
.section{background:#1b1f25!important}
.head,.muted,.small,.fact-name,.fact-more,.th,.th-right,.axis,.legend,.plot-range,.foot,.check>.expected{color:#a6afbb!important}
.td,.td-name,.td-right{border-color:#2e343c!important}
.hero-good{background:#14291e!important;border-color:#58c690!important}
.hero-attention{background:#2f2610!important;border-color:#e2ad4a!important}
.hero-bad{background:#381b1a!important;border-color:#ff8b82!important}
.good{color:#63cf9b!important}
.attention{color:#e9b859!important}
.bad{color:#ff958d!important}
.day-pass{background:#4fb884!important;color:#0b1f14!important}
.day-fail,.day-damaged{background:#ff8b82!important;color:#2b0906!important}
.day-incomplete{background:#e2ad4a!important;color:#2a1e00!important}
.day-open{background:#36404d!important;color:#cfd7e1!important}
.day-missed{border-color:#ff8b82!important;color:#ff958d!important}
.day-unknown,.day-idle{background:#252a31!important;color:#a6afbb!important}
.bar{fill:#566b88}
.bar.newest{fill:#a9c4ea}
.gap{fill:#ff8b82}
.base{stroke:#3a414b}
.limit{stroke:#ff8b82}
}
@media print{.page,.outer{background:#fff!important}.section,.hero{break-inside:avoid}}
`)
