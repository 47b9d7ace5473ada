// An API that takes the provider's tokens, and with a token that is bound to a key or a certificate only from who has it.

import { createHash, randomBytes } from 'node:crypto';

import { EmbeddedJWK, calculateJwkThumbprint, jwtVerify } from 'jose';

import * as certificate from './certificate.mjs';

const digest = (data) => createHash('sha256').update(data).digest('base64url');
// RFC 9449 section 11.1: as far as a proof without a nonce may be away from now.
const PROOF_AGE_S = 60;

const seen = new Set();
let nonce;

// From now on proofs must hold a nonce of the API's own, a new one at each call (RFC 9449 section 9); or need not.
export function requireNonce(required) {
  nonce = required ? randomBytes(16).toString('base64url') : undefined;
}

class Refusal extends Error {
  constructor(scheme, error, headers = {}) {
    super(error);
    this.headers = { 'www-authenticate': `${scheme} error="${error}"`, ...headers };
  }
}

// RFC 9449 sections 4.3 and 7.1.
async function checkProof(request, url, token, jkt) {
  const invalid = () => new Refusal('DPoP', 'invalid_dpop_proof');
  let proof;
  try {
    proof = await jwtVerify(request.headers.dpop ?? '', EmbeddedJWK, { typ: 'dpop+jwt', algorithms: ['ES256', 'EdDSA', 'RS256', 'PS256'] });
  } catch {
    throw invalid();
  }
  const { payload, protectedHeader } = proof;
  if (payload.htm !== request.method || payload.htu !== url || payload.ath !== digest(token)) throw invalid();
  if ((await calculateJwkThumbprint(protectedHeader.jwk)) !== jkt) throw invalid();
  if (nonce && payload.nonce !== nonce) throw new Refusal('DPoP', 'use_dpop_nonce', { 'dpop-nonce': nonce });
  if (!nonce && Math.abs(Date.now() / 1000 - payload.iat) > PROOF_AGE_S) throw invalid();
  if (typeof payload.jti !== 'string' || seen.has(payload.jti)) throw invalid();
  seen.add(payload.jti);
}

async function checked(provider, request, url) {
  const [, scheme, token] = /^(\w+) (.+)$/.exec(request.headers.authorization ?? '') ?? [];
  const { ClientCredentials, AccessToken } = provider;
  const known = token && ((await ClientCredentials.find(token)) ?? (await AccessToken.find(token)));
  if (!known?.isValid) throw new Refusal('Bearer', 'invalid_token');
  const isDpop = scheme.toLowerCase() === 'dpop';
  if (isDpop !== Boolean(known.jkt)) throw new Refusal(known.jkt ? 'DPoP' : 'Bearer', 'invalid_token');
  if (known.jkt) await checkProof(request, url, token, known.jkt);
  const bound = known['x5t#S256'];
  const shown = certificate.of(request.socket);
  if (bound && (!shown || digest(shown.raw) !== bound)) throw new Refusal('Bearer', 'invalid_token');
  return known;
}

// `url` is what the caller called, without query.
export async function me(provider, request, url, reply) {
  let known;
  try {
    known = await checked(provider, request, url);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    reply(401, { error: error.message }, error.headers);
    return;
  }
  reply(200, {
    client_id: known.clientId,
    sub: known.accountId ?? null,
    scope: known.scope ?? '',
    audience: known.aud ?? null,
    bound_to: known.jkt ? 'key' : known['x5t#S256'] ? 'certificate' : null,
  });
}
