// The certified oidc-provider as the tests' real provider.
//
// On its standard output it says once, as one line of JSON, where it listens; then one line for each token
// request. It ends when its standard input does, so it never outlives the test that started it.
//
// Its control port mints first refresh tokens (POST /mint?client=ID), tells what became of their families
// (GET /family?id=ID, GET /families) and changes a client's secret (POST /secret?client=ID&secret=TEXT).
// A refresh token that is presented a second time revokes its family.
//
// Environment: TOKEN_TTL (seconds), TOKEN_DELAY_MS (how long a token request takes at least), TLS_KEY and TLS_CERT (files; https in place of http), TLS_HOST (the
// host its issuer names, 127.0.0.1 unless set).

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import Provider, { errors } from 'oidc-provider';

import * as store from './store.mjs';

const API = 'https://api.example/';
const BODY_BYTES_MAX = 64 * 1024;

// Every reserved character that RFC 6749 allows in an id or a secret (appendix A: VSCHAR, %x20-7E).
const RESERVED_ID = 'cc:basic/+% x&=?#"\'<>@[]{}|\\^`~!$*(),;';
const RESERVED_SECRET = 's:e/c+r%e t&=?#%2B%"\'<>@[]{}|\\^`~!$*(),;';

const tokenTtl = Number(process.env.TOKEN_TTL ?? 600);
const tokenDelayMs = Number(process.env.TOKEN_DELAY_MS ?? 0);
const tls = process.env.TLS_KEY
  ? { key: readFileSync(process.env.TLS_KEY), cert: readFileSync(process.env.TLS_CERT) }
  : undefined;

const requests = [];
let handle = (_request, response) => response.writeHead(503).end();
const server = tls
  ? https.createServer(tls, (request, response) => handle(request, response))
  : http.createServer((request, response) => handle(request, response));
// A herd of clients, all at once, is what some tests are about.
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
await once(server, 'listening');
const host = `${process.env.TLS_HOST ?? '127.0.0.1'}:${server.address().port}`;
const issuer = `${tls ? 'https' : 'http'}://${host}`;

const client = (client_id, client_secret, token_endpoint_auth_method) => ({
  client_id,
  client_secret,
  token_endpoint_auth_method,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  scope: 'api read:data write:data',
});

// How often their refresh tokens are exchanged for new ones: at each use, at every third, never. The last is for
// a client program that does not go without the scope `openid`.
const ROTATES_EVERY = { rt: 1, 'rt-third': 3, 'rt-none': 0, 'rt-openid': 1 };
const scopeOf = (client_id) =>
  `${client_id === 'rt-openid' ? 'openid ' : ''}api read:data write:data offline_access`;
for (const client_id of Object.keys(ROTATES_EVERY)) {
  store.putClient({
    ...client(client_id, `${client_id}-secret`, 'client_secret_basic'),
    grant_types: ['refresh_token'],
    scope: scopeOf(client_id),
  });
}

// oidc-provider asks once for each refresh that it grants.
function rotates(ctx) {
  const { client: { clientId }, entities: { RefreshToken: { grantId } } } = ctx.oidc;
  const [every, nth] = [ROTATES_EVERY[clientId], store.granted(grantId)];
  return every > 0 && nth % every === 0;
}

const provider = new Provider(issuer, {
  adapter: store.Store,
  rotateRefreshToken: rotates,
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  clients: [
    client('cc', 'cc-secret', 'client_secret_basic'),
    client(RESERVED_ID, RESERVED_SECRET, 'client_secret_basic'),
    client('post', 'post-secret+/% &=', 'client_secret_post'),
  ],
  scopes: ['openid', 'api', 'read:data', 'write:data', 'offline_access'],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // Without a resource the token is for nobody in particular, as at most providers.
      defaultResource: () => undefined,
      getResourceServerInfo(_ctx, resource) {
        if (!resource.startsWith(API)) throw new errors.InvalidTarget();
        return {
          scope: 'api read:data write:data',
          audience: resource,
          accessTokenTTL: tokenTtl,
          accessTokenFormat: 'opaque',
        };
      },
    },
  },
  // Long enough that no test outlives a refresh token by accident.
  ttl: { ClientCredentials: tokenTtl, AccessToken: tokenTtl, RefreshToken: 86_400, Grant: 86_400 },
});

// A first refresh token, as a login would have brought it.
async function mint(client_id) {
  const client = await provider.Client.find(client_id);
  const grant = new provider.Grant({ accountId: 'ada', clientId: client_id });
  grant.addOIDCScope(scopeOf(client_id));
  const grantId = await grant.save();
  store.begin(grantId, client_id);
  const token = new provider.RefreshToken({
    accountId: 'ada',
    client,
    grantId,
    gty: 'authorization_code',
    scope: scopeOf(client_id),
  });
  return { refresh_token: await token.save(), family: grantId };
}

// What each token request came to. Secrets are not written down.
provider.use(async (ctx, next) => {
  if (ctx.path === '/token') await sleep(tokenDelayMs);
  await next();
  if (ctx.oidc?.route !== 'token') return;
  const { client_secret: _secret, refresh_token: _token, ...params } = ctx.oidc.body ?? {};
  const seen = {
    client: ctx.oidc.client?.clientId,
    basic: ctx.get('authorization').startsWith('Basic '),
    params,
    status: ctx.status,
    family: ctx.oidc.entities?.RefreshToken?.grantId,
  };
  requests.push(seen);
  process.stdout.write(`${JSON.stringify({ token_request: seen })}\n`);
});

const oidc = provider.callback();
const reply = (response, status, value, headers = {}) => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
};

// An API that takes this provider's tokens.
async function me(request, response) {
  const [, token] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
  const { ClientCredentials, AccessToken } = provider;
  const known = token && ((await ClientCredentials.find(token)) ?? (await AccessToken.find(token)));
  if (!known?.isValid) {
    reply(response, 401, { error: 'invalid_token' }, { 'www-authenticate': 'Bearer error="invalid_token"' });
    return;
  }
  reply(response, 200, {
    client_id: known.clientId,
    scope: known.scope ?? '',
    audience: known.aud ?? null,
  });
}

// A token endpoint that takes JSON alone and calls a resource an audience, as some big providers do. It
// passes the request on to the real one as a form.
async function jsonToken(request, response) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > BODY_BYTES_MAX) return reply(response, 413, { error: 'invalid_request' });
  }
  let body;
  try {
    if (!/^application\/json\b/.test(request.headers['content-type'])) throw new TypeError();
    body = JSON.parse(text);
  } catch {
    return reply(response, 415, { error: 'invalid_request', error_description: 'the body is not JSON' });
  }
  const { audience, ...fields } = body;
  if (audience !== undefined) fields.resource = audience;
  const form = Buffer.from(new URLSearchParams(fields).toString());
  const forward = Readable.from([form], { objectMode: false });
  Object.assign(forward, {
    method: 'POST',
    url: '/token',
    httpVersion: request.httpVersion,
    socket: request.socket,
    headers: {
      ...request.headers,
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': String(form.length),
    },
  });
  return oidc(forward, response);
}

handle = (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  if (pathname === '/api/me') return me(request, response);
  if (pathname === '/json/token' && request.method === 'POST') return jsonToken(request, response);
  return oidc(request, response);
};

// Plain http whatever the provider speaks, for the test alone.
const control = http.createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://control');
  const client = searchParams.get('client');
  switch (pathname) {
    case '/mint':
      return reply(response, 200, await mint(client));
    case '/family':
      return reply(response, 200, store.family(searchParams.get('id')) ?? null);
    case '/families':
      return reply(response, 200, store.all(client));
    case '/secret':
      store.putClient({ ...store.getClient(client), client_secret: searchParams.get('secret') });
      return reply(response, 200, {});
    case '/count':
      return reply(response, 200, { token_requests: requests.length });
    case '/requests':
      return reply(response, 200, requests);
    default:
      return reply(response, 404, {});
  }
});
control.listen(0, '127.0.0.1');
await once(control, 'listening');

process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();
process.stdout.write(
  `${JSON.stringify({
    issuer,
    token_endpoint: `${issuer}/token`,
    json_token_endpoint: `${issuer}/json/token`,
    api: `${issuer}/api/me`,
    control: `http://127.0.0.1:${control.address().port}`,
    clients: [
      { name: 'basic', id: 'cc', secret: 'cc-secret' },
      { name: 'reserved', id: RESERVED_ID, secret: RESERVED_SECRET },
      { name: 'post', id: 'post', secret: 'post-secret+/% &=' },
      ...Object.keys(ROTATES_EVERY).map((id) => ({ name: id, id, secret: `${id}-secret` })),
    ],
  })}\n`,
);
