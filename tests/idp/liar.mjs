// oauth2-mock-server as a provider that lies in its id_tokens: to each client in the way that the client's id names.
//
// On its standard output it says once, as one line of JSON, what its issuer is. It ends when its standard input does,
// so it never outlives the test that started it. Nobody is asked who they are.

import { Events, OAuth2Server } from 'oauth2-mock-server';

const lies = {
  honest: () => {},
  'other-audience': ({ payload }) => Object.assign(payload, { aud: 'another' }),
  expired: ({ payload }) => Object.assign(payload, { exp: payload.iat - 600 }),
  'other-nonce': ({ payload }) => Object.assign(payload, { nonce: 'another' }),
  'no-nonce': ({ payload }) => delete payload.nonce,
  'no-kid': ({ header }) => delete header.kid,
  'other-kid': ({ header }) => Object.assign(header, { kid: 'another' }),
};

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
await server.start(0, '127.0.0.1');
server.issuer.url = `http://127.0.0.1:${server.address().port}`;
server.service.on(Events.BeforeTokenSigning, (token, request) => {
  // An access token is for nobody in particular.
  if (token.payload.aud) lies[request.body.client_id](token);
});

process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();
process.stdout.write(`${JSON.stringify({ issuer: server.issuer.url })}\n`);
