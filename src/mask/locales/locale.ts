/** A town with its postal codes and its state, county or land. */
export interface Place {
  city: string
  codes: readonly string[]
  state: string
}

/** A value in pieces, each a literal or the name of a list in braces: `{family} {given}`. */
type Pattern = string

/** What masks need of one language and country. */
export interface Locale {
  /** Family name first. */
  familyFirst: boolean
  family: readonly string[]
  given: readonly string[]
  /** In front of some full names, blank included; one of them is drawn. */
  titles: readonly string[]
  /** Empty where no towns with matching codes are known: then each list stands for itself. */
  places: readonly Place[]
  cities: readonly string[]
  codes: readonly string[]
  states: readonly string[]
  /** Streets without house numbers. */
  streets: readonly string[]
  /** Around a street and a house number: `{street} {number}`. */
  address: Pattern
  secondary: readonly string[]
  /** What follows a family name in a company's name. */
  companySuffixes: readonly string[]
}
