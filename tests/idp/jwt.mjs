// Keys to sign with, and a second opinion on what was signed with them: `node jwt.mjs new ALG` and
// `node jwt.mjs check`, which reads { token, public } or { token, secret } and fails where the token is not good.

import { createHash, createPublicKey, createSecretKey, generateKeyPairSync } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { jwtVerify } from 'jose';

const kinds = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};

const [command, algorithm] = process.argv.slice(2);
if (command === 'new') {
  const { privateKey, publicKey } = generateKeyPairSync(...kinds[algorithm]);
  const digest = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' }));
  print({
    private: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    public: publicKey.export({ type: 'spki', format: 'pem' }),
    fingerprint: `SHA256:${digest.digest('base64')}`,
  });
} else {
  const { token, public: pem, secret } = JSON.parse(await text(process.stdin));
  const key = pem ? createPublicKey(pem) : createSecretKey(Buffer.from(secret, 'hex'));
  const { protectedHeader, payload } = await jwtVerify(token, key);
  print({ header: protectedHeader, claims: payload });
}

function print(value) {
  process.stdout.write(JSON.stringify(value));
}
