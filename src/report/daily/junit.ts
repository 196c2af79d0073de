import type { Check, DailyReport, Finding, RestoreTest } from '../../daily/facts.ts'
import { markup, type Markup } from './markup.ts'
import { sentence } from './words.ts'

/**
 * JUnit XML as CI systems read it: a suite for what a night is expected to leave, and one for each step of the restore
 * test. What needs attention counts as an error, what is bad as a failure.
 */
export function dailyJunit(report: DailyReport): string {
  const { time, host, checks, problems, test } = report
  const cases = checks.map((check) => expectation(check, problems))
  const suites = [
    suite({ name: 'pgveil', time, host, seconds: 0 }, cases),
    ...(test?.steps ?? []).map((step) =>
      suite(
        {
          name: `pgveil.verify.${step.step}`,
          time: test?.started ?? time,
          host: test?.host ?? host,
          seconds: step.seconds,
        },
        stepCases(step),
      ),
    ),
  ]
  const all = suites.flatMap((each) => each.cases)
  return markup`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="${report.name ?? 'pgveil'}" ${totals(all)} time="${seconds(suites.reduce((sum, each) => sum + each.seconds, 0))}">
${suites.map(({ text }) => text)}</testsuites>
`.text
}

/** One thing that was looked at; `kind` where it does not hold. */
interface Case {
  name: string
  kind?: 'failure' | 'error'
  message?: string
  /** For people, below the message. */
  details?: string
}

interface Suite {
  text: Markup
  cases: Case[]
  seconds: number
}

function suite(
  head: { name: string; time: string; host: string; seconds: number },
  cases: Case[],
): Suite {
  const { name, time, host } = head
  const text = markup`<testsuite name="${name}" ${totals(cases)} skipped="0" time="${seconds(head.seconds)}" timestamp="${time.slice(0, 19)}" hostname="${host}">
${cases.map((each) => testcase(name, each, head.seconds / cases.length))}</testsuite>
`
  return { text, cases, seconds: head.seconds }
}

function totals(cases: readonly Case[]): Markup {
  const of = (kind: Case['kind']) => cases.filter((each) => each.kind === kind).length
  return markup`tests="${cases.length}" failures="${of('failure')}" errors="${of('error')}"`
}

function testcase(suiteName: string, { name, kind, message = '', details }: Case, time: number) {
  const head = markup`<testcase classname="${suiteName}" name="${name}" time="${seconds(time)}"`
  if (kind === 'failure')
    return markup`${head}><failure message="${message}">${details}</failure></testcase>\n`
  if (kind === 'error')
    return markup`${head}><error message="${message}">${details}</error></testcase>\n`
  return markup`${head}/>\n`
}

function expectation(
  { check, title, standing, expected, found }: Check,
  problems: DailyReport['problems'],
): Case {
  if (standing === 'good') return { name: title }
  const said = problems.find((problem) => problem.check === check)?.message ?? found
  return {
    name: title,
    kind: standing === 'bad' ? 'failure' : 'error',
    message: sentence(said),
    details: `expected: ${expected}; found: ${found}`,
  }
}

/** A case for the step as a whole, and one for each finding that keeps it from passing. */
function stepCases({ step, outcome, checks, findings }: RestoreTest['steps'][number]): Case[] {
  const kind = ({ severity }: Finding) => (severity === 'failure' ? 'failure' : 'error')
  const wrong = findings.filter(({ severity }) => severity !== 'warning')
  const cases = wrong.map((finding, i): Case => {
    const { message } = finding
    return { name: `${step} finding ${i + 1}`, kind: kind(finding), message, details: message }
  })
  if (outcome === 'pass') return [{ name: `${step}: ${checks} checks` }, ...cases]
  if (cases.length > 0) return cases
  const message = outcome === 'fail' ? 'the step failed' : 'the step did not come to its end'
  return [{ name: step, kind: outcome === 'fail' ? 'failure' : 'error', message, details: message }]
}

function seconds(value: number): string {
  return value.toFixed(3)
}
