import type { DailyReport } from '../../daily/facts.ts'
import {
  checksTable,
  keysSection,
  latestFacts,
  listSection,
  section,
  testSection,
} from './html-parts.ts'
import { daysSection } from './html-days.ts'
import { css, STYLE_SHEET } from './html-style.ts'
import { markup, type Markup } from './markup.ts'
import { longTime, sentence, shortDay, STANDING_MARKS, STANDING_WORDS, subjectOf } from './words.ts'

/**
 * The page of a day: one file without scripts and without anything from elsewhere, for browsers and mail clients.
 * Layout follows what mail clients can do: tables, styles in the elements, the style sheet for what is dark or narrow.
 */
export function dailyHtml(report: DailyReport): string {
  const { standing, time, store, host, tool } = report
  const title = `${STANDING_WORDS[standing]}: ${subjectOf(report)}, ${shortDay(time)}`
  return markup`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${STYLE_SHEET}</style>
</head>
<body ${css('page')}>
<table role="presentation" ${css('outer')}><tr><td align="center" ${css('frame')}>
<main ${css('sheet')}>
<p ${css('head')}><strong>${capital(subjectOf(report))}</strong><br>${longTime(time)} · ${store}</p>
${hero(report)}
${sections(report)}
<p ${css('foot')}>Made by ${tool} on ${host} from signed manifests and verdicts. Days and times are in UTC. <span ${css('mono')}>pgveil list</span> shows all backups.</p>
</main>
</td></tr></table>
</body>
</html>
`.text
}

/** How the day is, and why; then whatever else is wrong. */
function hero({ standing, reason, problems }: DailyReport): Markup {
  const others = problems
    .slice(1)
    .map(({ message }) => markup`<li ${css('also-item')}>${sentence(message)}</li>`)
  const also = others.length === 0 ? '' : markup`<ul ${css('also')}>${others}</ul>`
  return markup`<header ${css('hero', `hero-${standing}`)}><h1 ${css('verdict', standing)}><span aria-hidden="true">${STANDING_MARKS[standing]}&#8194;</span>${STANDING_WORDS[standing]}</h1><p ${css('reason')}>${sentence(reason)}</p>${also}</header>`
}

function sections(report: DailyReport): (Markup | undefined)[] {
  const { checks, test, keys, notes, unfinished, stranded, verifierEnvelopes } = report
  return [
    section('Latest backup', latestFacts(report)),
    section('Expected and found', checksTable(checks)),
    daysSection(report),
    test ? testSection(test) : undefined,
    keys.length > 0 ? keysSection(keys) : undefined,
    listSection('In the store besides', [
      ...verifierEnvelopes.map((label) => `${label}: the verifier can open it`),
      ...unfinished.map(({ label, objects }) => `${label}: ${objects} objects, never committed`),
      ...stranded,
    ]),
    listSection('Worth knowing', notes),
  ]
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
