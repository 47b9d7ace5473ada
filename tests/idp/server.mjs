// The certified oidc-provider as the tests' real provider.
//
// On its standard output it says once, as one line of JSON, where it listens. It ends when its standard input does,
// so it never outlives the test that started it. settings.mjs says how it can be set up, control.mjs what a test can
// ask of it while it runs. A refresh token that is presented a second time revokes its family.

import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

import * as api from './api.mjs';
import { known } from './clients.mjs';
import { control, reply } from './control.mjs';
import * as device from './device.mjs';
import { interact, isInteraction } from './interaction.mjs';
import { jsonToken } from './json_token.mjs';
import { newKeys } from './keys.mjs';
import { build } from './provider.mjs';
import * as requests from './requests.mjs';
import { clientCa, hostName, tls, tokenDelayMs } from './settings.mjs';

const keysToBe = newKeys();
let handle = (_request, response) => response.writeHead(503).end();

// A herd of clients, all at once, is what some tests are about.
const BACKLOG = 4096;
async function listen(options) {
  const handler = (request, response) => handle(request, response);
  const server = options ? https.createServer(options, handler) : http.createServer(handler);
  server.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG });
  await once(server, 'listening');
  return `${options ? 'https' : 'http'}://${hostName}:${server.address().port}`;
}
const issuer = await listen(tls);
// Client certificates are asked for at a port of their own, as a provider does that browsers visit too.
const mtlsOrigin = clientCa && (await listen({ ...tls, ca: clientCa, requestCert: true, rejectUnauthorized: false }));

let keys = await keysToBe;
let provider;
let oidc;
function use(next) {
  provider = build(issuer, next, mtlsOrigin);
  provider.use(async (ctx, following) => {
    if (ctx.path === '/token') await sleep(tokenDelayMs);
    await following();
    if (!ctx.oidc) return;
    device.afterwards(ctx);
    requests.note(ctx);
  });
  oidc = provider.callback();
}
use(keys);

async function rotate(keep) {
  const fresh = await newKeys();
  const all = keep ? [...fresh, ...keys] : fresh;
  keys = fresh;
  use(all);
}

handle = (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  const answer = (...words) => reply(response, ...words);
  const origin = mtlsOrigin && request.headers.host === new URL(mtlsOrigin).host ? mtlsOrigin : issuer;
  if (pathname === '/api/me') return api.me(provider, request, `${origin}${pathname}`, answer);
  if (pathname === '/json/token' && request.method === 'POST') return jsonToken(oidc, request, response, answer);
  if (isInteraction(pathname)) return interact(provider, request, response, pathname);
  return oidc(request, response);
};

const controlServer = control(() => provider, rotate);
controlServer.listen(0, '127.0.0.1');
await once(controlServer, 'listening');

process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();
process.stdout.write(
  `${JSON.stringify({
    issuer,
    token_endpoint: `${issuer}/token`,
    json_token_endpoint: `${issuer}/json/token`,
    api: `${issuer}/api/me`,
    mtls_api: mtlsOrigin && `${mtlsOrigin}/api/me`,
    control: `http://127.0.0.1:${controlServer.address().port}`,
    clients: known,
  })}\n`,
);
