/** Elements of HTML that have no end. */
const VOID = new Set(['meta', 'br'])
const TOKEN =
  /<\?xml[^?]*\?>|<!DOCTYPE html>|<style>[^<]*<\/style>|<(\/?)([a-zA-Z0-9]+)((?:\s+[a-zA-Z][a-zA-Z0-9:-]*="[^"<]*")*)\s*(\/?)>|([^<>]+)/gy
const ENTITY = /&(?!(?:amp|lt|gt|quot|#39|#8194);)/
const FORBIDDEN = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u

export interface Element {
  name: string
  attributes: Record<string, string>
  text: string
}

/**
 * Reads HTML or XML more strictly than any browser: all attributes in double quotes, all elements closed in order, no
 * sign that begins something unless it does, no character that XML forbids.
 *
 * @throws Error with the place of the first offence
 */
export function elementsOf(document: string): Element[] {
  const wrong = FORBIDDEN.exec(document)
  if (wrong) throw new Error(`forbidden character at ${wrong.index}`)
  const elements: Element[] = []
  const open: Element[] = []
  let end = 0
  TOKEN.lastIndex = 0
  for (let token = TOKEN.exec(document); token; token = TOKEN.exec(document)) {
    end = TOKEN.lastIndex
    const [whole, slash, name, attributes = '', empty, text] = token
    const offence = ENTITY.exec(text ?? attributes)
    if (offence) throw new Error(`stray & in ${JSON.stringify(whole)}`)
    if (text !== undefined) {
      for (const element of open) element.text += text
      continue
    }
    if (name === undefined) continue
    if (slash === '/') {
      const last = open.pop()
      if (last?.name !== name) throw new Error(`</${name}> ends <${last?.name}>`)
      continue
    }
    const element = { name, attributes: attributesOf(attributes), text: '' }
    elements.push(element)
    if (empty !== '/' && !VOID.has(name)) open.push(element)
  }
  if (end !== document.length)
    throw new Error(`cannot be read from here: ${JSON.stringify(document.slice(end, end + 80))}`)
  if (open.length > 0) throw new Error(`<${open.at(-1)?.name}> is not closed`)
  return elements
}

function attributesOf(text: string): Record<string, string> {
  const found = [...text.matchAll(/([a-zA-Z][a-zA-Z0-9:-]*)="([^"]*)"/g)]
  const attributes = Object.fromEntries(found.map(([, name = '', value = '']) => [name, value]))
  if (Object.keys(attributes).length !== found.length) throw new Error(`twice in ${text}`)
  return attributes
}
