// The certified oidc-provider as the tests' real provider.
//
// On its standard output it says once, as one line of JSON, where it listens; then one line for each token
// request. It ends when its standard input does, so it never outlives the test that started it.
//
// Environment: TOKEN_TTL (seconds), TLS_KEY and TLS_CERT (files; https in place of http), TLS_HOST (the
// host its issuer names, 127.0.0.1 unless set).

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { once } from 'node:events';
import { Readable } from 'node:stream';

import Provider, { errors } from 'oidc-provider';

const API = 'https://api.example/';
const BODY_BYTES_MAX = 64 * 1024;

// Every reserved character that RFC 6749 allows in an id or a secret (appendix A: VSCHAR, %x20-7E).
const RESERVED_ID = 'cc:basic/+% x&=?#"\'<>@[]{}|\\^`~!$*(),;';
const RESERVED_SECRET = 's:e/c+r%e t&=?#%2B%"\'<>@[]{}|\\^`~!$*(),;';

const tokenTtl = Number(process.env.TOKEN_TTL ?? 600);
const tls = process.env.TLS_KEY
  ? { key: readFileSync(process.env.TLS_KEY), cert: readFileSync(process.env.TLS_CERT) }
  : undefined;

const requests = [];
let handle = (_request, response) => response.writeHead(503).end();
const server = tls
  ? https.createServer(tls, (request, response) => handle(request, response))
  : http.createServer((request, response) => handle(request, response));
server.listen(0, '127.0.0.1');
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

const provider = new Provider(issuer, {
  clients: [
    client('cc', 'cc-secret', 'client_secret_basic'),
    client(RESERVED_ID, RESERVED_SECRET, 'client_secret_basic'),
    client('post', 'post-secret+/% &=', 'client_secret_post'),
  ],
  scopes: ['api', 'read:data', 'write:data'],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
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
  ttl: { ClientCredentials: tokenTtl },
});

// What each token request came to. Secrets are not written down.
provider.use(async (ctx, next) => {
  await next();
  if (ctx.oidc?.route !== 'token') return;
  const { client_secret: _secret, ...params } = ctx.oidc.body ?? {};
  const seen = {
    client: ctx.oidc.client?.clientId,
    basic: ctx.get('authorization').startsWith('Basic '),
    params,
    status: ctx.status,
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
  const known = token && (await provider.ClientCredentials.find(token));
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
const control = http.createServer((request, response) => {
  switch (request.url) {
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
    ],
  })}\n`,
);
