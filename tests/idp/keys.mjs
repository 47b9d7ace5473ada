// The keys that id_tokens are signed with, one for each kind of algorithm.

import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';

const generate = promisify(generateKeyPair);
const jwk = ({ privateKey }) => privateKey.export({ format: 'jwk' });

// For RS256 and PS256, for ES256 and for EdDSA.
export async function newKeys() {
  const pairs = await Promise.all([
    generate('rsa', { modulusLength: 2048 }),
    generate('ec', { namedCurve: 'P-256' }),
    generate('ed25519'),
  ]);
  return pairs.map(jwk);
}
