// What a person does at the provider: sign in under any name, without a password, and allow or deny.

import { text } from 'node:stream/consumers';

import * as pages from './pages.mjs';

const PATH = /^\/interaction\/([\w-]+)(?:\/(login|allow|deny))?$/;

const html = (response, body) => {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(body);
};

export const isInteraction = (pathname) => PATH.test(pathname);

export async function interact(provider, request, response, pathname) {
  const [, uid, action] = PATH.exec(pathname);
  let details;
  try {
    details = await provider.interactionDetails(request, response);
  } catch {
    response.writeHead(400, { 'content-type': 'text/html' }).end(pages.failed({ error: 'no such interaction' }));
    return;
  }
  const { prompt, params } = details;
  if (request.method === 'GET') {
    html(
      response,
      prompt.name === 'login'
        ? pages.login(uid, params.client_id)
        : pages.consent(uid, params.client_id, params.scope ?? ''),
    );
    return;
  }
  const finish = (result, mergeWithLastSubmission) =>
    provider.interactionFinished(request, response, result, { mergeWithLastSubmission });
  switch (action) {
    case 'login': {
      const accountId = new URLSearchParams(await text(request)).get('login');
      await finish({ login: { accountId: accountId || 'nobody' } }, false);
      break;
    }
    case 'allow':
      await finish({ consent: { grantId: await granted(provider, details) } }, true);
      break;
    default:
      await finish({ error: 'access_denied', error_description: 'the person said no' }, false);
  }
}

// Everything that was asked for.
async function granted(provider, { grantId, session, params, prompt: { details } }) {
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (details.missingOIDCScope) grant.addOIDCScope(details.missingOIDCScope.join(' '));
  if (details.missingOIDCClaims) grant.addOIDCClaims(details.missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(details.missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  return grant.save();
}
