// The control port: what a test asks and tells the provider. Plain http, and for the test alone.

import http from 'node:http';
import { json } from 'node:stream/consumers';

import * as api from './api.mjs';
import { register } from './clients.mjs';
import * as device from './device.mjs';
import { mint, mistakeFor, requireNonce } from './provider.mjs';
import * as requests from './requests.mjs';
import * as store from './store.mjs';

export const reply = (response, status, value, headers = {}) => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
};

// `current` is the provider as it is now, `rotate` gives it new keys.
export function control(current, rotate) {
  const answers = {
    // A first refresh token for ?client=ID.
    '/mint': (query) => mint(current(), query.get('client')),
    // What became of the family ?id=ID of refresh tokens, or of all of ?client=ID.
    '/family': (query) => store.family(query.get('id')) ?? null,
    '/families': (query) => store.all(query.get('client')),
    '/secret': (query) => {
      const client = store.getClient(query.get('client'));
      store.putClient({ ...client, client_secret: query.get('secret') });
      return {};
    },
    // A document of client metadata; what is returned is as it is registered.
    '/client': async (_query, request) => {
      const metadata = register(await json(request));
      // Says what is wrong with it.
      await current().Client.find(metadata.client_id);
      return metadata;
    },
    // New signing keys; ?keep=true leaves the old ones in the key set, behind the new.
    '/rotate-keys': async (query) => {
      await rotate(query.get('keep') === 'true');
      return {};
    },
    // ?at=provider or ?at=api, ?required=true or false.
    '/dpop-nonce': (query) => {
      const set = query.get('at') === 'api' ? api.requireNonce : requireNonce;
      set(query.get('required') === 'true');
      return {};
    },
    // Takes everybody for ?sub=NAME; without one, each person for who they are.
    '/mistake': (query) => {
      mistakeFor(query.get('sub') ?? undefined);
      return {};
    },
    // The next ?times=N polls of devices are told to slow down.
    '/slow-down': (query) => {
      device.slowDown(Number(query.get('times')));
      return {};
    },
    // Ends every login and all that came of it for ?client=ID, as a person who takes their consent back.
    '/revoke': async (query) => {
      await store.revokeClient(query.get('client'));
      return {};
    },
    '/count': () => ({ token_requests: requests.ofTokens().length }),
    '/requests': (query) => (query.has('at') ? requests.at(query.get('at')) : requests.ofTokens()),
  };
  return http.createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://control');
    const answer = answers[pathname];
    if (!answer) return reply(response, 404, {});
    try {
      return reply(response, 200, await answer(searchParams, request));
    } catch (error) {
      return reply(response, 400, { error: error.error_description ?? error.message });
    }
  });
}
