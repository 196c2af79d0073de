/** Schemas of what comes from outside. The build makes one file of it: see scripts/build.mjs. */
export { z } from 'zod'
