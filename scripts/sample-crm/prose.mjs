import { Random } from './random.mjs'

/** @typedef {import('./people.mjs').Person} Person */

const NEUTRAL = `Köszönjük megkeresését, munkatársunk hamarosan jelentkezik.
A megrendelt termék még nem érkezett meg, kérem, nézzenek utána.
A számlán rossz összeg szerepel, kérem a javított példányt.
A készülék bekapcsolás után néhány perccel leáll, és hibakódot ír ki.
Szeretnénk bővíteni az előfizetést a következő negyedévtől.
Az átadás időpontja változatlanul a jövő hét közepe.
A csomagot tegnap feladtuk, a futár két munkanapon belül kézbesíti.
Kérjük, az ajánlatot a mellékelt műszaki leírás alapján készítsék el.
A belépés a jelszócsere óta nem működik, pedig többször is próbáltuk.
A szerződés tervezetét átnéztük, két pontban kérünk módosítást.
A karbantartást a múlt hónapban elvégezték, a hiba azóta sem jelentkezett.
Az árváltozásról külön levélben küldünk tájékoztatást.
A garanciális javítás díjmentes, a kiszállásért sem számolunk fel költséget.
A raktárkészlet feltöltése folyamatban van, türelmét köszönjük.
Az adatváltozást a nyilvántartásban átvezettük.
Kérem, erősítsék meg a megrendelést még a héten.`.split('\n')

/** @type {((person: Person, random: Random) => string)[]} */
const PERSONAL = [
  (p) => `${p.name} vagyok, kérem, hívjanak vissza a ${p.phone} számon.`,
  (p) => `Visszaigazolást a(z) ${p.email} címre kérek.`,
  (p) => `A számlát ${p.name} névre, a(z) ${p.zip} ${p.city}, ${p.street} címre állítsák ki.`,
  (p, r) => `A visszautalást a(z) ${iban(r)} számlaszámra várom.`,
  (p) => `Születési idő: ${p.birthDate}, anyja neve: ${p.motherName}.`,
  (p) => `Átvevő: ${p.name} (${p.city}), telefon: ${p.phone}.`,
  (p) => `${p.given} tegnap is telefonált, és e-mailt is írt (${p.email}).`,
]

/** Texts of several neutral sentences, ready to be strung together. */
const PARAGRAPHS = (() => {
  const random = new Random(20261, 1)
  return Array.from({ length: 2000 }, () => {
    const sentences = Array.from({ length: random.between(1, 4) }, () => random.pick(NEUTRAL))
    return [...new Set(sentences)].join(' ')
  })
})()

/**
 * A message of a person's, some 200 to 700 characters, in COPY's text format: lines end in a backslash
 * and an n.
 *
 * @param {Person} person who writes
 * @param {Random} random
 * @param {string} [addressee]
 */
export function letter(person, random, addressee = 'Ügyfélszolgálat') {
  let text = `Tisztelt ${addressee}!\\n\\n${random.pick(PARAGRAPHS)} `
  text += random.pick(PERSONAL)(person, random)
  if (random.chance(0.6)) text += `\\n\\n${random.pick(PARAGRAPHS)}`
  if (random.chance(0.4)) text += ` ${random.pick(PERSONAL)(person, random)}`
  return `${text}\\n\\nÜdvözlettel:\\n${person.name}\\n${person.phone}`
}

/**
 * One or two sentences that name the person.
 *
 * @param {Person} person
 * @param {Random} random
 */
export function remark(person, random) {
  const first = random.pick(PERSONAL)(person, random)
  return random.chance(0.5) ? first : `${first} ${random.pick(NEUTRAL)}`
}

const SUBJECTS =
  `Hibás számla|Nem működik a belépés|Késik a szállítás|Árajánlatkérés|Szerződésmódosítás|Adatváltozás|Garanciális javítás|Visszahívást kérek|Jelszócsere|Lemondás`.split(
    '|',
  )

/**
 * A subject line, naming the person now and then.
 *
 * @param {Person} person
 * @param {Random} random
 */
export function subjectLine(person, random) {
  const subject = random.pick(SUBJECTS)
  return random.chance(0.35) ? `${subject} – ${person.name}` : subject
}

/**
 * A Hungarian account number with right check digits (ISO 13616: 98 minus the remainder by 97).
 *
 * @param {Random} random
 */
export function iban(random) {
  const account = `${random.between(100, 199)}${random.digits(21)}`
  // H = 17, U = 30; the two zeros stand for the check digits
  const check = 98n - (BigInt(`${account}173000`) % 97n)
  return `HU${String(check).padStart(2, '0')}${account}`
}
