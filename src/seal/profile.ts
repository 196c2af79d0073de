import { enums, type PartialConfig } from 'openpgp'

/**
 * What openpgp.js may write: forms that gpg 2.2 reads, whatever another user of the library has set in this program.
 * And a bound on what it unpacks.
 */
export const PROFILE: PartialConfig = {
  aeadProtect: false,
  v6Keys: false,
  s2kType: enums.s2k.iterated,
  preferredHashAlgorithm: enums.hash.sha512,
  preferredSymmetricAlgorithm: enums.symmetric.aes256,
  preferredCompressionAlgorithm: enums.compression.uncompressed,
  showVersion: false,
  showComment: false,
  maxDecompressedMessageSize: 1 << 20,
}
