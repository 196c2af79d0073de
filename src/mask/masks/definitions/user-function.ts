import { isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from '../../../config/zod.ts'
import type { MaskDefinition, MaskRequest, PreparedMask } from '../../mask.ts'
import { importUserFunction, type UserFunctionParams } from '../user-function.ts'
import { ALL_TYPES } from './plain.ts'
import { refuseUnique } from './request.ts'

const options = z.strictObject({
  function: z
    .string()
    .regex(/^[^#]+#\w+$/, "must be a file and an export of it, like './masks.ts#badge'")
    .describe(
      'file and export: a function that takes the value as a text and returns a text or null',
    )
    .meta({ examples: ['./badges.mjs#badge'] }),
})

async function prepareFunction(request: MaskRequest): Promise<PreparedMask> {
  refuseUnique(request, 'whether a function keeps distinct values distinct cannot be known')
  const { function: written } = options.parse({ function: request.options['function'] })
  const [file = '', name = ''] = written.split('#')
  const url = file.startsWith('file:')
    ? file
    : pathToFileURL(isAbsolute(file) ? file : resolve(file)).href
  const params: UserFunctionParams = { url, name, written }
  // Loaded here too, so that a missing file or export is found before a row moves.
  await importUserFunction(params)
  return {
    kind: 'function',
    key: new Uint8Array(0),
    params: { ...params },
    dictionaries: {},
    reads: [],
    injective: false,
    normalizes: false,
  }
}

/** `function`. */
export const FUNCTION_MASK: MaskDefinition = {
  name: 'function',
  summary: "a function of the user's, value in, value out",
  types: ALL_TYPES,
  anyTypeAsText: true,
  options,
  prepare: prepareFunction,
}
