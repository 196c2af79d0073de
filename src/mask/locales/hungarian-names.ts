/** Frequent Hungarian family names. */
export const FAMILY_NAMES =
  `Ábrahám Ács Ádám Agócs Albert Ambrus Andrási Antal Arany Árvai Asztalos Bácskai Bajor Bakó Bakos
  Balassa Balázs Balla Balog Balogh Balázsi Bán Bánki Baranyai Baráth Barna Barta Bartha Bartók Bartos
  Báthory Becsei Bencze Benedek Benkő Bereczki Berényi Berkes Berki Berta Bényei Bihari Bíró Bodnár Bodó Bodor
  Bognár Bogdán Bokor Boldizsár Bolgár Borbély Borbás Boros Bot Botos Bozsik Budai Buda Buzás Csák Császár
  Csányi Cseh Csepregi Cser Cserháti  Csiszár Csizmadia Csóka Csonka Csontos Csordás Csorba Czakó Czinege
  Dallos Dani Dankó Darvas Deák Demeter Dékány Dobó Dobos Dombi Domján Dóczi Dózsa Dudás Dömötör Egyed Egri Engel
  Enyedi Erdei Erdélyi Erdős Erős Fábián Faludi Faragó Farkas Fazekas Fehér Fejes Fekete Ferenczi Fenyvesi
  Fodor Földes Földi Forgács Fülöp Füredi Füzesi Gaál Gábor Gál Garai Gáspár Gazdag Gellért Gerencsér Gergely
  Gerő Gombos Gönczi Gulyás Gyarmati Gyenes Győri Gyulai Hajdú Hajnal Halász Halmos Hamar Harsányi
  Hegedűs Hegyi Héder Hernádi Hidasi Hídvégi Hoffmann Holló Horváth Huszár Igaz Illés Imre Iván Izsák
  Jakab Jakus Jámbor Jancsó Jánosi Járai Jávor Jenei Joó Jónás Juhász Kádár Kállai Kálmán Kántor Kanizsai
  Kardos Karsai Kárpáti Kassai Kasza Katona Kecskés Kelemen Kemény Kende Kenyeres Kerekes Kerényi Keresztes
  Kertész Király Kis Kiss Kocsis Koczka Kollár Kolozsvári Komáromi Komlósi Koncz Kopasz Kormos Kósa Kovács Kovalcsik
  Kozma Kökény Kőhalmi Kőműves Kövér Köves Krizsán Kun Kurucz Kuti Laczkó Lakatos Lantos László Lázár Lengyel Lévai
  Lippai Lovas Lőrincz Ludányi Lukács Madarász Madár Magyar Magyari Major Makai Marosi Márkus Márton Máté Mátrai Megyeri
  Mester Mészáros Mezei Mihályi Mikó Miklós Mohácsi Molnár Monostori Morvai Mózes Murányi Nádasi Nagy Nádor Nemes
  Németh Novák Nyári Nyerges Nyíri Oláh Olajos Orbán Ormos Orosz Orsós Osváth Ötvös Pál Pálfi Pálinkás Palotai
  Pap Papp Parti Pásztor Pataki Patkó Pék Péter Pethő Petrovics Petrik Pintér Pócs Polgár Pongrácz Pósa Pozsgai Puskás
  Rácz Rádai Radnai Rajnai Rákosi Regős Reményi Répási Révész Rideg Rigó Rónai Rostás Rózsa Ruzsinszki Sági Sallai
  Salamon Sándor Sánta Sárközi Sarkadi Schmidt Sebestyén Sebők Seres Simon Sinka Sipos Siklósi Solymosi Somlai
  Somogyi Soós Soltész Stefán Sugár Surányi Süle Sümegi Szabados Szabó Szakács Szakál Szalai Szalay Szálkai Szántó
  Szász Szegedi Szekeres Székely Szendrei Szentesi Szentpéteri Szepesi Szigeti Szijjártó Szikora
  Szilágyi Szilvási Szirmai Szolnoki Szombati Szőke Szőllősi Szűcs Szűts Takács Tamás Tarján Tarr Tasi Tatár
  Temesi Terényi Timár Tisza Tolnai Tompa Torma Tornyai Tóth Tölgyesi Török Turi Udvardi Ujvári Urbán Újhelyi Vadas Vadász
  Vágó Vajda Vámos Váradi Varga Várkonyi Vas Vass Végh Vékony Veres Vida Vidák Világosi Vígh Vincze
  Virág Vitéz Vörös Zakar Zala Zelei Zentai Zima Zombori Zólyomi Zsigmond Zsoldos`.split(/\s+/)

/** Frequent Hungarian given names of women. */
export const WOMEN =
  `Abigél Adél Adrienn Ágnes Ágota Aida Alexa Alexandra Alíz Amália Amanda Andrea Anett Anikó Anita Anna Annamária
  Antónia Aranka Auguszta Auróra Barbara Beáta Beatrix Bernadett Bettina Bianka Blanka Boglárka Borbála Boróka Brigitta
  Cecília Csenge Csilla Csinszka Dalma Diána Dóra Dorina Dorka Dorottya Edina Edit Elena Eliza Ella Elvira Emese Emília
  Emma Emőke Enikő Erika Erna Ernesztina Erzsébet Eszter Eszmeralda Etelka Éva Evelin Fanni Fatima Flóra Franciska Fruzsina
  Gabriella Georgina Gerda Gizella Gréta Gyöngyi Györgyi Hajnalka Hanga Hanna Hedvig Helga Henrietta Hilda Hortenzia
  Ibolya Ida Ildikó Ilka Ilona Imola Inez Irén Irma Ivett Izabella Izolda Janka Jázmin Johanna Jolán Judit Júlia Julianna
  Jusztina Kamilla Karina Karolina Katalin Kata Katinka Kinga Kitti Klára Klaudia Kornélia Krisztina Lara Laura Léda Léna Lenke
  Leona Letícia Lídia Lili Liliána Lilla Lívia Loretta Luca Lujza Magdolna Maja Marcella Margit Mária Mariann Marianna Marina
  Márta Martina Matild Melánia Melinda Melissza Mercédesz Mia Míra Mirella Mirjam Mónika Nadin Nádja Natália
  Natasa Nelli Netta Nikoletta Noémi Nóra Olga Olívia Orsolya Ottilia Panka Panna Patrícia Paula Petra Piroska Polett Ramóna
  Rebeka Regina Renáta Réka Rita Róza Rozália Ruth Sára Sarolta Szabina Szandra Szidónia Szilvia Szofi
  Szófia Szonja Tamara Teodóra Teréz Terézia Tilda Tímea Tünde Valéria Vanda Vanessza Veronika Viktória Viola Virág Virgínia
  Vivien Zita Zoé Zóra Zsanett Zselyke Zsófia Zsuzsanna Zsuzsa`.split(/\s+/)

/** Frequent Hungarian given names of men. */
export const MEN =
  `Ábel Ábrahám Ádám Adrián Ágoston Ákos Aladár Albert Alex Alfréd András Andor Antal Ármin Arnold Áron Árpád Attila
  Balázs Bálint Barna Barnabás Bence Bendegúz Benedek Benett Benjámin Benő Bernát Bertalan Béla Boldizsár Bonifác Botond
  Brúnó Csaba Csanád Csongor Dániel Dávid Demeter Dénes Dezső Dominik Domonkos Donát Döme Ede Edvárd Egon Elek Előd Emil
  Endre Erik Ernő Ervin Fábián Félix Ferenc Flórián Frigyes Fülöp Gábor Gáspár Gellért Gergely Gergő Géza Gusztáv
  György Győző Gyula Henrik Hugó Hunor Ignác Illés Imre István Iván Izsák Jácint Jakab János Jenő József Kálmán Károly
  Kázmér Kelemen Kevin Kilián Kolos Kornél Koppány Krisztián Kristóf Lajos László Lázár Lehel Levente Lóránd Lóránt Lőrinc Lukács
  Manó Marcell Márió Márk Márkó Márton Máté Mátyás Medárd Mihály Miklós Milán Mirkó Mór Móric Nándor Nátán Nimród Noel Norbert Olivér
  Ottó Örs Ödön Pál Patrik Péter Pongrác Rafael Rajmund Regő Rezső Richárd Róbert Roland Rudolf Samu Sámuel
  Sándor Sebestyén Simon Soma Szabolcs Szaniszló Szilárd Szilveszter Tamás Taksony Tas Teodor Tibor Tihamér Tivadar
  Titusz Tódor Tóbiás Vajk Vazul Vencel Vidor Viktor Vilmos Vince Vitális Zalán Zénó Zétény Zoltán Zoárd Zsigmond Zsolt Zsombor`.split(
    /\s+/,
  )
