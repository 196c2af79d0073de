import { FAMILY_NAMES, MEN, WOMEN } from './hungarian-names.ts'
import { HUNGARIAN_PLACES } from './hungarian-places.ts'
import type { Locale } from './locale.ts'

const STREET_NAMES =
  `Ady Endre,Akácfa,Alkotmány,Alma,Arany János,Attila,Bajcsy-Zsilinszky,Balassi Bálint,Bartók Béla,Báthory,
Batthyány,Béke,Bem József,Bercsényi,Berzsenyi Dániel,Bethlen Gábor,Bocskai,Boglárka,Búzavirág,Cseresznye,Csokonai,Damjanich,
Deák Ferenc,Diófa,Dobó István,Dózsa György,Egry József,Eötvös,Erkel Ferenc,Esze Tamás,Fecske,Fenyő,Fő,Gagarin,Galamb,Gárdonyi Géza,
Gesztenye,Gyöngyvirág,Hajnal,Hársfa,Honvéd,Hunyadi,Ibolya,Ifjúság,Iskola,Jázmin,Jókai Mór,József Attila,Juhász Gyula,
Kálvin,Kazinczy,Kinizsi,Kisfaludy,Klapka György,Kodály Zoltán,Kossuth Lajos,Kölcsey,Kőrösi Csoma Sándor,Köztársaság,
Liliom,Liszt Ferenc,Madách Imre,Malom,Margaréta,Mátyás király,Mikes Kelemen,Mikszáth Kálmán,Móra Ferenc,Móricz Zsigmond,Munkácsy Mihály,Nagy Lajos,
Napsugár,Nefelejcs,Nyár,Orgona,Öreg,Pacsirta,Pázmány,Petőfi Sándor,Pipacs,Platán,Rákóczi,Radnóti Miklós,Rózsa,Rozmaring,Sallai,
Semmelweis,Szabadság,Szarka,Széchenyi,Szegfű,Szent István,Szent László,Szilva,Szőlő,Táncsics Mihály,Temető,Templom,Thököly,
Toldi Miklós,Tompa Mihály,Tölgyfa,Tulipán,Vadvirág,Vak Bottyán,Vasút,Vasvári Pál,Viola,Vörösmarty,Wesselényi,Zöldfa,Zrínyi`
    .split(',')
    .map((name) => name.trim())

// By how often they occur: most streets are an utca.
const STREET_TYPES = `utca utca utca utca utca utca utca utca utca út út út tér tér köz sor sétány
  körút dűlő park lakótelep`.split(/\s+/)

const DOCTORS = 1
const OTHERS = 15

/** Hungary: family name first, towns with their own codes and counties. */
export const HUNGARIAN: Locale = {
  familyFirst: true,
  family: FAMILY_NAMES,
  given: [...WOMEN, ...MEN],
  titles: [...Array<string>(OTHERS).fill(''), ...Array<string>(DOCTORS).fill('Dr. ')],
  places: HUNGARIAN_PLACES,
  cities: HUNGARIAN_PLACES.map((place) => place.city),
  codes: HUNGARIAN_PLACES.flatMap((place) => place.codes),
  states: HUNGARIAN_PLACES.map((place) => place.state),
  streets: STREET_NAMES.flatMap((name) => STREET_TYPES.map((type) => `${name} ${type}`)),
  address: '{street} {number}',
  secondary: Array.from({ length: 10 }, (_, floor) =>
    Array.from(
      { length: 40 },
      (_, door) => `${floor === 0 ? 'fszt.' : `${floor}. em.`} ${door + 1}.`,
    ),
  ).flat(),
  companySuffixes: [
    'Kft.',
    'és Társa Kft.',
    'és Fia Kft.',
    'Bt.',
    'és Társa Bt.',
    'Zrt.',
    'Nyrt.',
    'Kereskedelmi Kft.',
    'Szolgáltató Kft.',
    'Építő Kft.',
    'Trans Kft.',
    'Tanácsadó Bt.',
    'Invest Zrt.',
    'Consulting Kft.',
  ],
}
