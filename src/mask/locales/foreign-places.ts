import type { Place } from './locale.ts'

function readPlaces(table: string): Place[] {
  return table
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [state = '', places = ''] = line.split(': ')
      return places.split(', ').map((place) => {
        const [codes, city] = /^([\d ]+) (.+)$/.exec(place)!.slice(1) as [string, string]
        return { city, codes: codes.split(' '), state }
      })
    })
}

/** Towns of the United States with postal codes of theirs, by state. */
export const UNITED_STATES_PLACES: readonly Place[] = readPlaces(`
Alabama: 35203 35205 Birmingham, 36104 Montgomery, 36602 Mobile, 35801 Huntsville
Alaska: 99501 Anchorage, 99801 Juneau, 99701 Fairbanks
Arizona: 85003 85004 Phoenix, 85701 Tucson, 86001 Flagstaff, 85281 Tempe
Arkansas: 72201 Little Rock, 72701 Fayetteville
California: 90012 90013 Los Angeles, 94102 94103 San Francisco, 92101 San Diego, 95113 San Jose, 95814 Sacramento, 94612 Oakland, 93721 Fresno
Colorado: 80202 80203 Denver, 80302 Boulder, 80903 Colorado Springs
Connecticut: 06103 Hartford, 06510 New Haven, 06902 Stamford
Delaware: 19801 Wilmington, 19901 Dover
District of Columbia: 20001 20005 Washington
Florida: 33130 Miami, 33602 Tampa, 32801 Orlando, 32202 Jacksonville, 32301 Tallahassee
Georgia: 30303 30308 Atlanta, 31401 Savannah
Hawaii: 96813 Honolulu, 96720 Hilo
Idaho: 83702 Boise
Illinois: 60601 60602 60603 Chicago, 62701 Springfield, 61602 Peoria
Indiana: 46204 Indianapolis, 46802 Fort Wayne
Iowa: 50309 Des Moines, 52240 Iowa City
Kansas: 67202 Wichita, 66603 Topeka
Kentucky: 40202 Louisville, 40507 Lexington
Louisiana: 70112 New Orleans, 70801 Baton Rouge
Maine: 04330 Augusta
Maryland: 21201 21202 Baltimore, 21401 Annapolis
Massachusetts: 02108 02109 Boston, 02139 Cambridge, 01608 Worcester
Michigan: 48226 Detroit, 49503 Grand Rapids, 48104 Ann Arbor, 48933 Lansing
Minnesota: 55401 Minneapolis, 55101 Saint Paul, 55802 Duluth
Mississippi: 39201 Jackson
Missouri: 63101 Saint Louis, 64106 Kansas City
Montana: 59601 Helena, 59101 Billings
Nebraska: 68102 Omaha, 68508 Lincoln
Nevada: 89101 Las Vegas, 89501 Reno, 89701 Carson City
New Hampshire: 03301 Concord, 03101 Manchester
New Jersey: 07102 Newark, 08608 Trenton, 07302 Jersey City
New Mexico: 87102 Albuquerque, 87501 Santa Fe
New York: 10001 10002 10003 New York, 12207 Albany, 14202 Buffalo, 14604 Rochester, 13202 Syracuse
North Carolina: 28202 Charlotte, 27601 Raleigh, 27701 Durham
North Dakota: 58501 Bismarck, 58102 Fargo
Ohio: 43215 Columbus, 44113 Cleveland, 45202 Cincinnati, 43604 Toledo
Oklahoma: 73102 Oklahoma City, 74103 Tulsa
Oregon: 97204 97205 Portland, 97301 Salem, 97401 Eugene
Pennsylvania: 19102 19103 Philadelphia, 15222 Pittsburgh, 17101 Harrisburg
Rhode Island: 02903 Providence
South Carolina: 29201 Columbia, 29401 Charleston
South Dakota: 57501 Pierre, 57104 Sioux Falls
Tennessee: 37203 Nashville, 38103 Memphis, 37902 Knoxville
Texas: 77002 Houston, 75201 75202 Dallas, 78701 Austin, 78205 San Antonio, 79901 El Paso, 76102 Fort Worth
Utah: 84101 84111 Salt Lake City, 84601 Provo
Vermont: 05401 Burlington, 05602 Montpelier
Virginia: 23219 Richmond, 23510 Norfolk, 22314 Alexandria
Washington: 98101 98104 Seattle, 99201 Spokane, 98402 Tacoma
West Virginia: 25401 Martinsburg
Wisconsin: 53202 Milwaukee, 53703 Madison
Wyoming: 82001 Cheyenne`)

/** German towns with postal codes of theirs, by land. */
export const GERMAN_PLACES: readonly Place[] = readPlaces(`
Baden-Württemberg: 70173 70174 Stuttgart, 76131 76133 Karlsruhe, 68159 68161 Mannheim, 79098 79100 Freiburg im Breisgau, 69115 69117 Heidelberg, 89073 Ulm, 74072 Heilbronn, 72070 Tübingen, 78462 Konstanz
Bayern: 80331 80333 80335 München, 90402 90403 Nürnberg, 86150 86152 Augsburg, 93047 Regensburg, 97070 Würzburg, 85049 Ingolstadt, 96047 Bamberg, 94032 Passau, 91052 Erlangen
Berlin: 10115 10117 10119 10178 10179 10243 10435 10999 12043 13353 Berlin
Brandenburg: 14467 Potsdam, 03046 Cottbus, 15230 Frankfurt (Oder)
Bremen: 28195 28203 Bremen, 27568 Bremerhaven
Hamburg: 20095 20097 20099 20354 22765 Hamburg
Hessen: 60311 60313 60316 Frankfurt am Main, 65183 65185 Wiesbaden, 34117 Kassel, 64283 Darmstadt, 35390 Gießen, 35037 Marburg, 36037 Fulda
Mecklenburg-Vorpommern: 19053 Schwerin, 18055 Rostock, 18439 Stralsund, 17489 Greifswald
Niedersachsen: 30159 30161 Hannover, 38100 Braunschweig, 26122 Oldenburg, 49074 Osnabrück, 37073 Göttingen, 38440 Wolfsburg, 31134 Hildesheim
Nordrhein-Westfalen: 50667 50668 Köln, 40210 40213 Düsseldorf, 44135 44137 Dortmund, 45127 Essen, 47051 Duisburg, 44787 Bochum, 42103 Wuppertal, 33602 Bielefeld, 53111 Bonn, 48143 Münster, 52062 Aachen, 41061 Mönchengladbach
Rheinland-Pfalz: 55116 Mainz, 67059 Ludwigshafen am Rhein, 56068 Koblenz, 54290 Trier, 67655 Kaiserslautern
Saarland: 66111 Saarbrücken, 66538 Neunkirchen
Sachsen: 01067 01069 Dresden, 04103 04109 Leipzig, 09111 Chemnitz, 08056 Zwickau
Sachsen-Anhalt: 39104 Magdeburg, 06108 Halle (Saale), 06844 Dessau-Roßlau
Schleswig-Holstein: 24103 Kiel, 23552 Lübeck, 24937 Flensburg
Thüringen: 99084 Erfurt, 07743 Jena, 07545 Gera, 99423 Weimar`)
