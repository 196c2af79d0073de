import { Output, type Codec, type Mask } from '../mask.ts'
import { appendInteger } from './compose.ts'
import { moveMagnitude, moveSmallMagnitude, sameDigits, type Noise } from './noise.ts'
import { appendNumeric, readNumeric, SmallNumeric, type Numeric } from './numeric.ts'

const MINUS = 0x2d
const COLON = 0x3a

function openAnyNoise(noise: Noise, shares: boolean, codec: Codec): Mask {
  return (bytes, start, end, out) => {
    const read = readNumeric(bytes, start, end, codec)
    if (read === undefined) {
      out.append(bytes, start, end)
      return true
    }
    const { unscaled, scale } = read
    const seed = Buffer.from(`${unscaled}:${scale}`, 'latin1')
    noise.seed(seed, seed.length)
    const magnitude = unscaled < 0n ? -unscaled : unscaled
    // As many digits as the original at most, so that it fits whatever precision the column has.
    const moved =
      unscaled === 0n && shares
        ? unscaled
        : moveMagnitude(noise, magnitude, sameDigits(magnitude), scale)
    const result: Numeric = { scale, unscaled: unscaled < 0n ? -moved : moved }
    appendNumeric(out, result, codec)
    return true
  }
}

/** {@link openAnyNoise} for shares in the binary form, several times faster for all but long numbers. */
function openShareNoise(noise: Noise): Mask {
  const any = openAnyNoise(noise, true, 'binary')
  const number = new SmallNumeric()
  const seed = new Output(32)
  return (bytes, start, end, out, row) => {
    if (!number.read(bytes, start, end)) return any(bytes, start, end, out, row)
    const { magnitude, scale } = number
    if (magnitude === 0) {
      number.append(out, 0)
      return true
    }
    seed.length = 0
    if (number.negative) seed.bytes[seed.length++] = MINUS
    appendInteger(seed, magnitude)
    seed.bytes[seed.length++] = COLON
    appendInteger(seed, scale)
    noise.seed(seed.bytes, seed.length)
    const moved = moveSmallMagnitude(noise, magnitude)
    if (moved < 0) return any(bytes, start, end, out, row)
    number.append(out, moved)
    return true
  }
}

/** Noise on numbers with any count of digits; as many as the original at most. */
export function openNumericNoise(noise: Noise, shares: boolean, codec: Codec): Mask {
  return shares && codec === 'binary' ? openShareNoise(noise) : openAnyNoise(noise, shares, codec)
}
