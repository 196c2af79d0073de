/** Why a connection URL cannot be used; never quotes the URL, which may hold a password. */
export interface UrlProblem {
  message: string
  hint?: string
}

/** What is wrong with a connection URL, or undefined. */
export function checkUrl(url: string): UrlProblem | undefined {
  if (!/^postgres(ql)?:\/\//.test(url))
    return {
      message: 'not a connection URL',
      hint: 'write postgresql://user@host:5432/database',
    }
  const encoding = 'percent-encode characters like # / ? @ in the user name and the password'
  try {
    const parsed = new URL(url)
    for (const part of [parsed.username, parsed.password, parsed.pathname]) decodeURIComponent(part)
    if (parsed.pathname.length <= 1)
      return { message: 'the connection URL names no database', hint: 'end it with /database' }
  } catch {
    return { message: 'the connection URL cannot be read', hint: encoding }
  }
  return undefined
}

/** Whether a connection URL carries a password. */
export function hasPassword(url: string): boolean {
  try {
    const { password, searchParams } = new URL(url)
    return password !== '' || searchParams.has('password')
  } catch {
    return false
  }
}

/** `text` with the passwords of all connection URLs in it replaced by asterisks. */
export function hidePasswords(text: string): string {
  return text
    .replaceAll(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s]*@/gi, '$1:***@')
    .replaceAll(/([?&]password=)[^\s&'"]*/gi, '$1***')
}

/**
 * Replaces each `${NAME}` by the environment variable of that name. Within the user name and password
 * of a URL the value is percent-encoded; a URL that is one `${NAME}` as a whole is taken as it is.
 *
 * @returns the URL, or the names that are not set
 */
export function expandUrl(
  template: string,
  env: NodeJS.ProcessEnv,
): { url: string; used: string[] } | { missing: string[] } {
  const credentials = template.lastIndexOf('@')
  const used: string[] = []
  const missing: string[] = []
  const url = template.replaceAll(
    /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g,
    (_all, name: string, at: number) => {
      const value = env[name]
      if (value === undefined || value === '') {
        missing.push(name)
        return ''
      }
      used.push(name)
      return at < credentials ? encodeURIComponent(value) : value
    },
  )
  return missing.length > 0 ? { missing } : { url, used }
}
