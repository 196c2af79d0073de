import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from '../config/zod.ts'
import { Problems } from '../config/problems.ts'
import { YamlFile } from '../config/yaml.ts'
import { Failure, systemReason } from '../errors.ts'

const TEXT = z.string({ error: 'expected text' }).min(1, 'expected text')
const NUMBER = z.number({ error: 'expected a number' })
const POSITIVE = NUMBER.positive('expected a number above 0')

const WITHIN = z.strictObject({
  percent: POSITIVE.describe('largest difference'),
  of: z.literal('lastProven').describe('what it was in the last backup that passed'),
})

/** Exactly one of these says what is expected. */
const EXPECTATIONS = ['equals', 'atLeast', 'atMost', 'between', 'within'] as const

const ASSERTION = z
  .strictObject({
    name: TEXT.describe('for people; names the measured value in the verdict'),
    sql: TEXT.describe('one query that returns one value; it runs read-only'),
    equals: z
      .union([NUMBER, z.string(), z.boolean()], {
        error: 'expected a number, text or true or false',
      })
      .optional(),
    atLeast: NUMBER.optional(),
    atMost: NUMBER.optional(),
    between: z
      .tuple([NUMBER, NUMBER], { error: 'expected two numbers, like [1, 10]' })
      .refine(([low, high]) => low <= high, 'expected the lower number first')
      .optional(),
    within: WITHIN.optional(),
  })
  .refine(
    (assertion) => EXPECTATIONS.filter((key) => assertion[key] !== undefined).length === 1,
    `expected one of ${EXPECTATIONS.join(', ')}`,
  )

const DEFAULT_TIMEOUT = 600

const COMMAND = z.strictObject({
  name: TEXT.describe('for people'),
  run: z
    .array(TEXT, { error: 'expected a list: the program and its arguments' })
    .min(1, 'expected a program')
    .describe('a program and its arguments; no shell is between'),
  timeoutSeconds: POSITIVE.default(DEFAULT_TIMEOUT),
})

const LIMITS = z.strictObject({
  recoverySeconds: POSITIVE.optional().describe(
    'longest time from the first byte to the last check',
  ),
  ageHours: POSITIVE.optional().describe('oldest that the backup may be when it is tested'),
  intervalHours: POSITIVE.optional().describe(
    'longest time between this backup and the one before',
  ),
  sizeChangePercent: POSITIVE.optional().describe(
    'largest change since the last backup that passed',
  ),
})

/** verification.yaml. */
const RULES = z.strictObject({
  minimumChecks: z
    .int({ error: 'expected a whole number' })
    .min(1, 'expected 1 or more')
    .default(1)
    .describe('assertions and commands that must have run'),
  assertions: z.array(ASSERTION, { error: 'expected a list' }).default([]),
  commands: z.array(COMMAND, { error: 'expected a list' }).default([]),
  limits: LIMITS.default({}),
})

export type Assertion = z.output<typeof ASSERTION>
export type Command = z.output<typeof COMMAND>
export type Limits = z.output<typeof LIMITS>
export type VerificationRules = z.output<typeof RULES> & {
  /** Where commands run: the directory of the file. */
  directory: string
}

/** JSON Schema (draft 7) of verification.yaml, for editors. */
export function verificationSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(RULES, { target: 'draft-7', io: 'input' })
  return { $schema, title: 'pgveil verification rules', ...schema }
}

/**
 * Reads verification.yaml.
 *
 * @param path absolute
 * @throws Failure `config` with file:line:column for all that is wrong; a file without any check is
 */
export async function readVerificationRules(path: string): Promise<VerificationRules> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new Failure('config', `cannot read ${path}: ${systemReason(cause)}`, { cause })
  }
  return parseVerificationRules(text, path)
}

/** @throws Failure `config` like {@link readVerificationRules} */
export function parseVerificationRules(text: string, path: string): VerificationRules {
  const problems = new Problems()
  const file = new YamlFile(text, path, problems)
  problems.raise()
  const root = file.root
  if (!root || file.isEmpty) throw noChecks(path, 'is empty')
  const parsed = RULES.safeParse(file.toJS(root))
  if (!parsed.success) file.explain(parsed.error, root, Object.keys(RULES.shape), problems)
  problems.raise()
  const rules = parsed.data as z.output<typeof RULES>
  for (const key of ['assertions', 'commands'] as const) {
    const node = file.entries(root)?.find((entry) => entry.key === key)?.value
    const items = file.items(node) ?? []
    const names = rules[key].map(({ name }) => name)
    names.forEach((name, i) => {
      if (names.indexOf(name) !== i)
        problems.add(
          file.place(items[i]),
          `${key}: the name ${JSON.stringify(name)} is given twice`,
        )
    })
  }
  problems.raise()
  const checks = rules.assertions.length + rules.commands.length
  if (checks === 0) throw noChecks(path, 'has neither assertions nor commands')
  if (checks < rules.minimumChecks) {
    throw noChecks(path, `has ${checks} checks, and minimumChecks is ${rules.minimumChecks}`)
  }
  return { ...rules, directory: dirname(path) }
}

function noChecks(path: string, what: string): Failure {
  return new Failure('config', `${path} ${what}: nothing checked is never a pass`, {
    hint: 'add assertions, or take verify.rules out of pgveil.yaml for the built-in checks alone',
  })
}
