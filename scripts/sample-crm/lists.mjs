import { faker } from '@faker-js/faker/locale/hu'

const { person } = faker.definitions

/** @param {unknown} list */
const strings = (list) => /** @type {string[]} */ (list)

const women = strings(person.first_name.female)
const men = strings(person.first_name.male)

export const GIVEN_NAMES = [...women, ...men]
export const FIRST_MALE = women.length
export const FAMILY_NAMES = [
  ...strings(person.last_name.generic),
  'Szőgyény-Marich',
  'Müller',
  "O'Connor",
  'Łukasiewicz',
  'Çelik',
  'Nguyễn',
]

/** Zip, city, county. */
export const TOWNS = `
1011 Budapest Budapest|1027 Budapest Budapest|1052 Budapest Budapest|1075 Budapest Budapest|1094 Budapest Budapest
1117 Budapest Budapest|1132 Budapest Budapest|1149 Budapest Budapest|1188 Budapest Budapest|1221 Budapest Budapest
2000 Szentendre Pest|2040 Budaörs Pest|2100 Gödöllő Pest|2120 Dunakeszi Pest|2230 Gyömrő Pest|2600 Vác Pest|2700 Cegléd Pest
2400 Dunaújváros Fejér|8000 Székesfehérvár Fejér|8060 Mór Fejér|2500 Esztergom Komárom-Esztergom|2800 Tatabánya Komárom-Esztergom
2900 Komárom Komárom-Esztergom|3000 Hatvan Heves|3200 Gyöngyös Heves|3300 Eger Heves|3100 Salgótarján Nógrád|2660 Balassagyarmat Nógrád
3525 Miskolc Borsod-Abaúj-Zemplén|3580 Tiszaújváros Borsod-Abaúj-Zemplén|3600 Ózd Borsod-Abaúj-Zemplén|3950 Sárospatak Borsod-Abaúj-Zemplén
4024 Debrecen Hajdú-Bihar|4200 Hajdúszoboszló Hajdú-Bihar|4220 Hajdúböszörmény Hajdú-Bihar|4400 Nyíregyháza Szabolcs-Szatmár-Bereg
4600 Kisvárda Szabolcs-Szatmár-Bereg|4700 Mátészalka Szabolcs-Szatmár-Bereg|5000 Szolnok Jász-Nagykun-Szolnok|5100 Jászberény Jász-Nagykun-Szolnok
5600 Békéscsaba Békés|5700 Gyula Békés|5900 Orosháza Békés|6000 Kecskemét Bács-Kiskun|6100 Kiskunfélegyháza Bács-Kiskun|6500 Baja Bács-Kiskun
6720 Szeged Csongrád-Csanád|6800 Hódmezővásárhely Csongrád-Csanád|6900 Makó Csongrád-Csanád|7030 Paks Tolna|7100 Szekszárd Tolna
7400 Kaposvár Somogy|8600 Siófok Somogy|7621 Pécs Baranya|7700 Mohács Baranya|7300 Komló Baranya|8200 Veszprém Veszprém|8230 Balatonfüred Veszprém
8500 Pápa Veszprém|8800 Nagykanizsa Zala|8900 Zalaegerszeg Zala|8360 Keszthely Zala|9021 Győr Győr-Moson-Sopron
9200 Mosonmagyaróvár Győr-Moson-Sopron|9400 Sopron Győr-Moson-Sopron|9700 Szombathely Vas|9730 Kőszeg Vas|9600 Sárvár Vas`
  .trim()
  .split(/[|\n]/)
  .map((line) => {
    const [zip = '', city = '', county = ''] = line.split(' ')
    return { zip, city, county }
  })

/** @param {string} words */
const list = (words) => words.trim().split(/\s*[|\n]\s*/)

export const STREETS =
  list(`Kossuth Lajos utca|Petőfi Sándor utca|Széchenyi István tér|Rákóczi út|Ady Endre utca|Arany János utca
  Dózsa György út|József Attila utca|Bartók Béla út|Deák Ferenc utca|Béke utca|Szent István körút|Fő utca|Vörösmarty tér
  Jókai Mór utca|Bem József utca|Táncsics Mihály utca|Zrínyi Miklós utca|Akácfa utca|Virág köz|Liszt Ferenc sétány
  Hunyadi János út|Damjanich utca|Móricz Zsigmond körtér|Ősz utca|Tűzoltó utca|Malom dűlő|Mátyás király utca`)

export const JOB_TITLES =
  list(`ügyvezető|beszerző|könyvelő|értékesítési vezető|pénzügyi igazgató|titkárnő|rendszergazda|raktárvezető
  marketingvezető|HR-munkatárs|projektvezető|műszaki vezető|minőségügyi vezető|jogtanácsos|asszisztens|üzemvezető`)

export const COMPANY_WORDS =
  list(`Pannon|Duna|Tisza|Alföld|Mátra|Bakony|Kárpát|Hunor|Turul|Aranykalász|Korona|Szivárvány|Napfény
  Zöldág|Kékduna|Vasmacska|Hídfő|Főnix|Merkúr|Orion|Delta|Agro|Euro|Inter|Gránit|Tölgy|Liliom|Ezüst|Várkapu|Révész`)
export const COMPANY_TRADES =
  list(`Épker|Bau|Trans|Logisztika|Pékség|Gép|Szerviz|Informatika|Tanácsadó|Nyomda|Bútor|Kertészet|Patika
  Húsipari|Textil|Faipari|Villamosipari|Élelmiszer|Könyvelő|Ingatlan|Vendéglátó|Autó|Műanyag|Gáztechnika`)
export const LEGAL_FORMS = list('Kft.|Kft.|Kft.|Kft.|Bt.|Zrt.|Nyrt.|Kkt.|Szövetkezet')

export const PRODUCTS =
  list(`csavarkészlet M8|fúrógép 850 W|irodai szék|íróasztal tölgyfa|nyomtató színes|monitor 27"|laptop 14"|hűtőgép A++
  LED-panel|raklap EUR|munkaruha XL|védőkesztyű|festék 10 l|csempe 30×30|radiátor 600×1000|kazán kondenzációs|szerverszekrény 42U
  kábel CAT6 305 m|szoftverlicenc éves|karbantartás havi|kiszállás óradíj|oktatás fő/nap|domain éves|tárhely 50 GB`)

/** A TLD that RFC 2606 reserves: whatever becomes of a sample database, its mail reaches nobody. */
export const MAIL_DOMAINS = list(
  'posta.example|levelek.example|villampost.example|kisfalu.example|egyetem.example',
)

export const USER_AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  'Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/18.6 Mobile Safari/604.1',
  'Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/141.0.0.0 Mobile Safari/537.36',
]

/** ISO code, name, dial code, EU member. */
export const COUNTRIES = `
HU Magyarország +36 t|AT Ausztria +43 t|DE Németország +49 t|SK Szlovákia +421 t|RO Románia +40 t|RS Szerbia +381 f|HR Horvátország +385 t
SI Szlovénia +386 t|UA Ukrajna +380 f|CZ Csehország +420 t|PL Lengyelország +48 t|IT Olaszország +39 t|FR Franciaország +33 t|GB Egyesült-Királyság +44 f
CH Svájc +41 f|NL Hollandia +31 t|BE Belgium +32 t|ES Spanyolország +34 t|SE Svédország +46 t|US Amerikai-Egyesült-Államok +1 f`
  .trim()
  .split(/[|\n]/)
  .map((line) => line.replaceAll(' ', '\t').replaceAll('-', ' '))
