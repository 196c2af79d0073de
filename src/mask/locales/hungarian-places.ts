import type { Place } from './locale.ts'

/**
 * Hungarian towns and larger villages with postal codes of theirs, by county. A line is a county and its
 * places; a place is its codes and its name, `-` joins the ends of a run of codes.
 */
const PLACES = `
Budapest: 1011-1016 1021-1029 1031-1039 1041-1048 1051-1056 1061-1068 1071-1078 1081-1089 1091-1098 1101-1108 1111-1119 1121-1126 1131-1139 1141-1149 1151-1158 1161-1165 1171-1174 1181-1188 1191-1196 1201-1205 1211-1215 1221-1225 1237-1239 Budapest
Bács-Kiskun: 6000 Kecskemét, 6500 Baja, 6430 Bácsalmás, 6440 Jánoshalma, 6060 Tiszakécske, 6090 Kunszentmiklós, 6070 Izsák, 6080 Szabadszállás, 6100 Kiskunfélegyháza, 6120 Kiskunmajsa, 6200 Kiskőrös, 6230 Soltvadkert, 6237 Kecel, 6300 Kalocsa, 6320 Solt, 6326 Harta, 6344 Hajós, 6400 Kiskunhalas, 6050 Lajosmizse, 6078 Jakabszállás, 6035 Ballószög, 6421 Kisszállás, 6449 Mélykút, 6423 Kelebia
Baranya: 7621-7635 Pécs, 7700 Mohács, 7300 Komló, 7800 Siklós, 7900 Szigetvár, 7754 Bóly, 7720 Pécsvárad, 7370 Sásd, 7940 Szentlőrinc, 7960 Sellye, 7773 Villány, 7815 Harkány, 7761 Kozármisleny, 7396 Magyarszék
Békés: 5600 Békéscsaba, 5630 Békés, 5700 Gyula, 5900 Orosháza, 5540 Szarvas, 5500 Gyomaendrőd, 5520 Szeghalom, 5650 Mezőberény, 5720 Sarkad, 5742 Elek, 5800 Mezőkovácsháza, 5830 Battonya, 5820 Mezőhegyes, 5940 Tótkomlós, 5510 Dévaványa, 5525 Füzesgyarmat, 5530 Vésztő, 5661 Újkígyós, 5674 Kétsoprony, 5666 Medgyesegyháza, 5931 Nagyszénás, 5553 Kondoros
Borsod-Abaúj-Zemplén: 3525-3535 Miskolc, 3700 Kazincbarcika, 3600 Ózd, 3580 Tiszaújváros, 3400 Mezőkövesd, 3950 Sárospatak, 3980 Sátoraljaújhely, 3900 Szerencs, 3910 Tokaj, 3770 Sajószentpéter, 3780 Edelény, 3860 Encs, 3630 Putnok, 3450 Mezőcsát, 3800 Szikszó, 3571 Alsózsolca, 3561 Felsőzsolca, 3434 Mályi, 3432 Emőd
Csongrád-Csanád: 6720-6729 6771 6791 Szeged, 6800 Hódmezővásárhely, 6900 Makó, 6600 Szentes, 6640 Csongrád, 6760 Kistelek, 6782 Mórahalom, 6630 Mindszent, 6750 Algyő, 6764 Balástya, 6783 Ásotthalom, 6931 Apátfalva
Fejér: 8000 Székesfehérvár, 2400 Dunaújváros, 8060 Mór, 2060 Bicske, 7000 Sárbogárd, 8130 Enying, 2483 Gárdony, 2481 Velence, 8154 Polgárdi, 8127 Aba, 2457 Adony, 2451 Ercsi, 2462 Martonvásár, 8083 Csákvár, 8086 Felcsút, 2459 Rácalmás, 2490 Pusztaszabolcs, 8096 Sukoró, 2091 Etyek
Győr-Moson-Sopron: 9021-9030 Győr, 9400 Sopron, 9200 Mosonmagyaróvár, 9330 Kapuvár, 9300 Csorna, 9431 Fertőd, 9090 Pannonhalma, 9100 Tét, 9221 Levél, 9222 Hegyeshalom, 9151 Abda, 9423 Ágfalva, 9421 Fertőrákos, 9444 Fertőszentmiklós, 9485 Nagycenk, 9343 Beled, 9233 Lipót
Hajdú-Bihar: 4024-4034 Debrecen, 4220 Hajdúböszörmény, 4200 Hajdúszoboszló, 4080 Hajdúnánás, 4060 Balmazújváros, 4100 Berettyóújfalu, 4130 Derecske, 4110 Biharkeresztes, 4150 Püspökladány, 4242 Hajdúhadház, 4090 Polgár, 4138 Komádi, 4183 Kaba, 4264 Nyírábrány, 4251 Hajdúsámson, 4254 Nyíradony, 4087 Hajdúdorog, 4243 Téglás, 4281 Létavértes, 4181 Nádudvar, 4161 Báránd
Heves: 3300 Eger, 3200 Gyöngyös, 3000 Hatvan, 3360 Heves, 3390 Füzesabony, 3245 Recsk, 3250 Pétervására, 3021 Lőrinci, 3346 Bélapátfalva, 3381 Pély, 3324 Felsőtárkány, 3032 Apc, 3261 Abasár, 3213 Atkár, 3399 Andornaktálya, 3394 Egerszalók, 3350 Kál, 3384 Kisköre, 3263 Domoszló, 3271 Visonta
Jász-Nagykun-Szolnok: 5000 Szolnok, 5100 Jászberény, 5300 Karcag, 5200 Törökszentmiklós, 5400 Mezőtúr, 5420 Túrkeve, 5440 Kunszentmárton, 5310 Kisújszállás, 5350 Tiszafüred, 5340 Kunhegyes, 5130 Jászapáti, 5123 Jászárokszállás, 5126 Jászfényszaru, 5241 Abádszalók, 5430 Tiszaföldvár, 5435 Martfű, 5321 Kunmadaras, 5055 Jászladány, 5137 Jászkisér, 5081 Szajol, 5061 Tiszasüly, 5231 Fegyvernek
Komárom-Esztergom: 2800 Tatabánya, 2500 Esztergom, 2890 Tata, 2900 Komárom, 2870 Kisbér, 2840 Oroszlány, 2510 Dorog, 2941 Ács, 2943 Bábolna, 2536 Nyergesújfalu, 2541 Lábatlan, 2534 Tát, 2931 Almásfüzitő, 2851 Környe, 2545 Dunaalmás, 2531 Tokod, 2544 Neszmély, 2543 Süttő
Nógrád: 3100 Salgótarján, 2660 Balassagyarmat, 3060 Pásztó, 3070 Bátonyterenye, 3170 Szécsény, 2651 Rétság, 2653 Bánk, 2696 Terény, 2694 Magyarnándor, 3175 Nagylóc, 2618 Nézsa
Pest: 2000 Szentendre, 2030 Érd, 2040 Budaörs, 2045 Törökbálint, 2049 Diósd, 2051 Biatorbágy, 2092 Budakeszi, 2100 Gödöllő, 2119 Pécel, 2120 Dunakeszi, 2151 Fót, 2112 Veresegyház, 2600 Vác, 2700 Cegléd, 2750 Nagykőrös, 2200 Monor, 2220 Vecsés, 2225 Üllő, 2230 Gyömrő, 2234 Maglód, 2300 Ráckeve, 2310 Szigetszentmiklós, 2314 Halásztelek, 2315 Szigethalom, 2316 Tököl, 2330 Dunaharaszti, 2340 Kiskunlacháza, 2360 Gyál, 2364 Ócsa, 2370 Dabas, 2440 Százhalombatta, 2461 Tárnok, 2011 Budakalász, 2013 Pomáz, 2025 Visegrád, 2072 Zsámbék, 2081 Piliscsaba, 2083 Solymár, 2085 Pilisvörösvár, 2094 Nagykovácsi, 2096 Üröm, 2131 Göd, 2141 Csömör, 2143 Kistarcsa, 2144 Kerepes, 2146 Mogyoród, 2162 Őrbottyán, 2170 Aszód, 2194 Tura, 2251 Tápiószecső, 2365 Inárcs, 2730 Albertirsa, 2740 Abony, 2760 Nagykáta, 2628 Szob, 2626 Nagymaros, 2117 Isaszeg, 2336 Dunavarsány, 2335 Taksony, 2344 Dömsöd, 2347 Bugyi, 2351 Alsónémedi, 2367 Újhartyán, 2377 Örkény
Somogy: 7400 Kaposvár, 8600 Siófok, 8700 Marcali, 7500 Nagyatád, 7570 Barcs, 8640 Fonyód, 8630 Balatonboglár, 8638 Balatonlelle, 8660 Tab, 7561 Nagybajom, 8840 Csurgó, 8623 Balatonföldvár, 8624 Balatonszárszó, 8636 Balatonszemes, 7530 Kadarkút, 8693 Lengyeltóti, 8649 Balatonberény, 8651 Balatonszabadi, 8653 Ádánd, 7257 Mosdós
Szabolcs-Szatmár-Bereg: 4400 Nyíregyháza, 4600 Kisvárda, 4700 Mátészalka, 4800 Vásárosnamény, 4900 Fehérgyarmat, 4320 Nagykálló, 4300 Nyírbátor, 4440 Tiszavasvári, 4450 Tiszalök, 4465 Rakamaz, 4484 Ibrány, 4492 Dombrád, 4625 Záhony, 4561 Baktalórántháza, 4765 Csenger, 4233 Balkány, 4485 Nagyhalász, 4501 Kemecse, 4235 Biri, 4524 Ajak, 4244 Újfehértó
Tolna: 7100 Szekszárd, 7030 Paks, 7200 Dombóvár, 7090 Tamási, 7150 Bonyhád, 7130 Tolna, 7081 Simontornya, 7140 Bátaszék, 7020 Dunaföldvár, 7064 Gyönk, 7136 Fácánkert, 7121 Szálka, 7191 Hőgyész, 7044 Nagydorog
Vas: 9700 Szombathely, 9600 Sárvár, 9500 Celldömölk, 9730 Kőszeg, 9800 Vasvár, 9900 Körmend, 9970 Szentgotthárd, 9737 Bük, 9545 Jánosháza, 9653 Répcelak, 9735 Csepreg, 9941 Őriszentpéter, 9771 Balogunyom, 9721 Gencsapáti
Veszprém: 8200 Veszprém, 8500 Pápa, 8400 Ajka, 8100 Várpalota, 8300 Tapolca, 8330 Sümeg, 8420 Zirc, 8230 Balatonfüred, 8220 Balatonalmádi, 8460 Devecser, 8237 Tihany, 8257 Badacsonytomaj, 8171 Balatonvilágos, 8172 Balatonkenese, 8175 Balatonfűzfő, 8181 Berhida, 8440 Herend, 8226 Alsóörs, 8229 Csopak, 8227 Felsőörs, 8256 Ábrahámhegy, 8242 Balatonudvari
Zala: 8900 Zalaegerszeg, 8800 Nagykanizsa, 8360 Keszthely, 8380 Hévíz, 8960 Lenti, 8790 Zalaszentgrót, 8868 Letenye, 8749 Zalakaros, 8741 Zalaapáti, 8313 Balatongyörök, 8315 Gyenesdiás, 8314 Vonyarcvashegy, 8394 Alsópáhok, 8992 Bagod, 8878 Lovászi`

/** Codes of a place as written in the table: single ones and runs. */
function readCodes(written: readonly string[]): string[] {
  return written.flatMap((code) => {
    const [first, last = first] = code.split('-').map(Number) as [number, number?]
    return Array.from({ length: last - first + 1 }, (_, i) => String(first + i))
  })
}

/** The places above. */
export const HUNGARIAN_PLACES: readonly Place[] = PLACES.trim()
  .split('\n')
  .flatMap((line) => {
    const [county = '', places = ''] = line.split(': ')
    return places.split(', ').map((place) => {
      const words = place.split(' ')
      return { city: words.at(-1)!, codes: readCodes(words.slice(0, -1)), state: county }
    })
  })
