import { visible } from './display.ts'
import type {
  AnswerEvent,
  DrillEvent,
  Event,
  KeySetEvent,
  KeysEvent,
  RequestEvent,
  RewrapEvent,
} from './events.ts'
import { grid } from './grid.ts'
import { plural } from './numbers.ts'
import type { Style } from './style.ts'

/** What a key ceremony prints on stdout; undefined for any other event. */
export function keysText(event: Event, style: Style): string | undefined {
  const lines = linesOf(event, style)
  return lines && `${lines.join('\n')}\n`
}

function linesOf(event: Event, style: Style): string[] | undefined {
  if (event.event === 'key-set') return keySetLines(event, style)
  if (event.event === 'keys') return keysLines(event, style)
  if (event.event === 'drill') return drillLines(event, style)
  if (event.event === 'rewrap') return [rewrapLine(event)]
  if (event.event === 'unlock-request') return requestLines(event)
  if (event.event === 'unlock-answer') return answerLines(event)
  return undefined
}

function keySetLines({ files, section, config }: KeySetEvent, style: Style): string[] {
  const [title = '', ...rows] = grid(
    [{ title: 'file' }, { title: 'what it is' }, { title: 'who should have it' }],
    files.map(({ path, what, holder }) => [visible(path), what, holder]),
  )
  return [
    style.bold('made a set of keys for a trial'),
    '',
    style.dim(title),
    ...rows,
    '',
    ...(config === undefined
      ? ['put this into pgveil.yaml:', '', ...section.trimEnd().split('\n')]
      : [`wrote ${visible(config)}, with the fingerprints of these keys`]),
    '',
    style.bold('before anything real is backed up:'),
    '  move the private keys of the custodian sides, and that of the verifier, off this machine;',
    '  better, have each side make its own, offline or on a card, and send only the public key:',
    '    gpg --quick-generate-key "Operations <operations@example.org>"',
    '    gpg --armor --export operations@example.org',
    '  compare fingerprints by another way than the keys came; then: pgveil keys check',
  ]
}

function keysLines({ keys, problems, warnings }: KeysEvent, style: Style): string[] {
  const [title = '', ...rows] = grid(
    [
      { title: 'for' },
      { title: 'fingerprint' },
      { title: 'algorithm' },
      { title: 'until' },
      { title: 'owner' },
      { title: 'file' },
    ],
    keys.map(({ role, fingerprint, algorithm, expires, owners, path }) => [
      role,
      fingerprint,
      visible(algorithm),
      expires?.slice(0, 10) ?? (fingerprint === '' ? '' : 'no end'),
      visible(owners.join(', ')),
      visible(path),
    ]),
  )
  return [
    style.dim(title),
    ...rows,
    ...section(problems, style.red('wrong:')),
    ...section(warnings, style.yellow('warning:')),
    '',
    problems.length > 0
      ? style.bold(`${plural(problems.length, 'problem')}: not all of these keys can be used`)
      : style.bold('backups can be made with these keys'),
  ]
}

function section(messages: readonly string[], word: string): string[] {
  if (messages.length === 0) return []
  return ['', ...messages.map((message) => `${word} ${visible(message)}`)]
}

function drillLines({ label, sides }: DrillEvent, style: Style): string[] {
  const passed = sides.filter((side) => side.passed).length
  return [
    style.bold(`${label}: ${passed} of ${plural(sides.length, 'side')} can be opened`),
    ...sides.map((side) =>
      side.passed
        ? `  ${side.side}: yes; SHA-256 of its half ${side.half}, as the manifest says`
        : `  ${side.side}: ${style.red('NO')}; ${visible(side.reason ?? '')}`,
    ),
  ]
}

function rewrapLine({ label, side, state, generation, recipients }: RewrapEvent): string {
  const to = recipients.join(', ')
  const texts = {
    rewrapped: `rewrapped ${side} of ${label} to ${to} (generation ${generation})`,
    current: `${side} of ${label} is for ${to} already`,
    'would-rewrap': `would rewrap ${side} of ${label} to ${to}; the half opens and is the right one`,
  }
  return texts[state]
}

function requestLines({ label, side, path, half, recipients }: RequestEvent): string[] {
  return [
    `wrote the envelope of ${side} of ${label} to ${visible(path)}`,
    `it opens with ${recipients.join(' or ')}`,
    `SHA-256 of its half: ${half}`,
    '',
    `send the file to the custodian; what to do is written in it. With the answer:`,
    `  pgveil restore --label ${label} --half ${side}=answer.txt`,
  ]
}

function answerLines({ path, half, asRequested }: AnswerEvent): string[] {
  return [
    `wrote the half to ${visible(path)}: send it where nobody else reads along, then delete it`,
    `its SHA-256: ${half}`,
    asRequested === undefined
      ? 'compare it, by phone, with what the other end has'
      : 'it is what the request says; compare it by phone, too',
  ]
}
