// The clients that the provider knows from the start, and those that a test registers.

import { X509Certificate, randomBytes } from 'node:crypto';

import { has } from './settings.mjs';
import * as store from './store.mjs';

export const SCOPES = ['openid', 'profile', 'email', 'api', 'read:data', 'write:data', 'offline_access'];
const EVERY_SCOPE = SCOPES.join(' ');

// Every reserved character that RFC 6749 allows in an id or a secret (appendix A: VSCHAR, %x20-7E).
const RESERVED_ID = 'cc:basic/+% x&=?#"\'<>@[]{}|\\^`~!$*(),;';
const RESERVED_SECRET = 's:e/c+r%e t&=?#%2B%"\'<>@[]{}|\\^`~!$*(),;';

const machine = (client_id, client_secret, token_endpoint_auth_method) => ({
  client_id,
  client_secret,
  token_endpoint_auth_method,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  scope: 'api read:data write:data',
});

export const machines = [
  machine('cc', 'cc-secret', 'client_secret_basic'),
  machine(RESERVED_ID, RESERVED_SECRET, 'client_secret_basic'),
  machine('post', 'post-secret+/% &=', 'client_secret_post'),
];

// How often their refresh tokens are exchanged for new ones: at each use, at every third, never. The last is for
// a client program that does not go without the scope `openid`.
const ROTATES_EVERY = { rt: 1, 'rt-third': 3, 'rt-none': 0, 'rt-openid': 1 };
for (const client_id of Object.keys(ROTATES_EVERY)) {
  store.putClient({
    ...machine(client_id, `${client_id}-secret`, 'client_secret_basic'),
    grant_types: ['refresh_token'],
    scope: `${client_id === 'rt-openid' ? 'openid ' : ''}api read:data write:data offline_access`,
  });
}

export const rotatesEvery = (client_id) => store.getClient(client_id)?.rotates_every ?? ROTATES_EVERY[client_id] ?? 1;

// What a program on a person's machine is registered as (RFC 8252): any port of a loopback address will do.
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const native = {
  application_type: 'native',
  grant_types: ['authorization_code', 'refresh_token', ...(has('device') ? [DEVICE] : [])],
  response_types: ['code'],
  redirect_uris: ['127.0.0.1', '[::1]', 'localhost'].flatMap((host) =>
    ['/', '/cb', '/callback'].map((path) => `http://${host}${path}`),
  ),
  scope: EVERY_SCOPE,
};
const PUBLIC = { ...native, token_endpoint_auth_method: 'none' };
store.putClient({ ...PUBLIC, client_id: 'native' });
store.putClient({
  ...native,
  client_id: 'web',
  client_secret: 'web-secret',
  token_endpoint_auth_method: 'client_secret_basic',
});
store.putClient({ ...PUBLIC, client_id: 'par', require_pushed_authorization_requests: true });
store.putClient({ ...PUBLIC, client_id: 'dpop', dpop_bound_access_tokens: true });

const METHODS_WITH_SECRET = ['client_secret_basic', 'client_secret_post', 'client_secret_jwt'];

// A document of RFC 7591 section 2. What it leaves out is as for `native`, id and secret are made up, and three
// members are our own: `certificate`, the PEM that a client of self_signed_tls_client_auth shows, `rotates_every`,
// and `machine`, for a client that no person logs in at.
export function register({ certificate, machine: isMachine, ...document }) {
  const metadata = {
    ...(isMachine
      ? { grant_types: ['client_credentials'], redirect_uris: [], response_types: [], scope: 'api read:data write:data' }
      : native),
    client_id: `client-${randomBytes(6).toString('hex')}`,
    ...document,
  };
  if (METHODS_WITH_SECRET.includes(metadata.token_endpoint_auth_method ?? 'client_secret_basic')) {
    metadata.client_secret ??= randomBytes(32).toString('base64url');
  }
  if (certificate) {
    const { raw, publicKey } = new X509Certificate(certificate);
    metadata.jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), x5c: [raw.toString('base64')] }] };
  }
  store.putClient(metadata);
  return metadata;
}

export const known = [
  { name: 'basic', id: 'cc', secret: 'cc-secret' },
  { name: 'reserved', id: RESERVED_ID, secret: RESERVED_SECRET },
  { name: 'post', id: 'post', secret: 'post-secret+/% &=' },
  ...Object.keys(ROTATES_EVERY).map((id) => ({ name: id, id, secret: `${id}-secret` })),
  { name: 'native', id: 'native', secret: '' },
  { name: 'web', id: 'web', secret: 'web-secret' },
  { name: 'par', id: 'par', secret: '' },
  { name: 'dpop', id: 'dpop', secret: '' },
];
