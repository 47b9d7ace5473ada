// oidc-provider with everything that tokctl can do switched on.

import { randomBytes } from 'node:crypto';

import Provider, { errors } from 'oidc-provider';

import * as certificate from './certificate.mjs';
import { SCOPES, machines, rotatesEvery } from './clients.mjs';
import * as pages from './pages.mjs';
import * as settings from './settings.mjs';
import * as store from './store.mjs';

const API = 'https://api.example/';
const COOKIE_KEYS = [randomBytes(32).toString('base64url')];
const NONCE_SECRET = randomBytes(32);

let nonceRequired = false;
let everybodyIs;

// From now on every DPoP proof at the provider must hold a nonce of its own (RFC 9449 section 8); or need not.
export function requireNonce(required) {
  nonceRequired = required;
}

// From now on every token is for this person, whoever signed in; with undefined it is for who did.
export function mistakeFor(sub) {
  everybodyIs = sub;
}

// oidc-provider asks once for each refresh that it grants.
function rotates(ctx) {
  const { client: { clientId }, entities: { RefreshToken: { grantId } } } = ctx.oidc;
  const [every, nth] = [rotatesEvery(clientId), store.granted(grantId)];
  return every > 0 && nth % every === 0;
}

// The endpoints once more where client certificates are asked for.
const ALIASES = {
  token_endpoint: '/token',
  pushed_authorization_request_endpoint: '/request',
  device_authorization_endpoint: '/device/auth',
  revocation_endpoint: '/token/revocation',
  introspection_endpoint: '/token/introspection',
  userinfo_endpoint: '/me',
};
const aliasesAt = (origin) =>
  Object.fromEntries(Object.entries(ALIASES).map(([name, path]) => [name, `${origin}${path}`]));

const html = (ctx, body) => {
  ctx.type = 'html';
  ctx.body = body;
};

// All that is remembered is in the store, so that a provider with other keys can take this one's place.
export function build(issuer, keys, mtlsOrigin) {
  const provider = new Provider(issuer, {
    adapter: store.Store,
    jwks: { keys },
    cookies: { keys: COOKIE_KEYS },
    rotateRefreshToken: rotates,
    // Whoever may refresh gets something to refresh with, as at most providers.
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: () => false,
    findAccount: (_ctx, id) => {
      const name = everybodyIs ?? id;
      return { accountId: name, claims: () => ({ sub: name, name, email: `${name}@example.org` }) };
    },
    claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
    clients: machines,
    scopes: SCOPES,
    discovery: {
      require_pushed_authorization_requests: settings.parRequired || undefined,
      mtls_endpoint_aliases: mtlsOrigin && aliasesAt(mtlsOrigin),
    },
    clientAuthMethods: [
      'client_secret_basic',
      'client_secret_post',
      'client_secret_jwt',
      'private_key_jwt',
      ...(mtlsOrigin ? ['tls_client_auth', 'self_signed_tls_client_auth'] : []),
      'none',
    ],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      introspection: { enabled: settings.has('introspection') },
      revocation: { enabled: settings.has('revocation') },
      pushedAuthorizationRequests: { enabled: settings.has('par') },
      dPoP: { enabled: true, nonceSecret: NONCE_SECRET, requireNonce: () => nonceRequired },
      mTLS: {
        enabled: Boolean(mtlsOrigin),
        certificateBoundAccessTokens: true,
        selfSignedTlsClientAuth: true,
        tlsClientAuth: true,
        getCertificate: (ctx) => certificate.of(ctx.socket),
        certificateAuthorized: (ctx) => certificate.isAuthorized(ctx.socket),
        certificateSubjectMatches: (ctx, property, expected) => certificate.matches(ctx.socket, property, expected),
      },
      deviceFlow: {
        enabled: settings.has('device'),
        userCodeInputSource: (ctx, form, _out, error) => html(ctx, pages.userCode(form, error)),
        userCodeConfirmSource: (ctx, form, client, _device, code) =>
          html(ctx, pages.confirmDevice(form, client.clientId, code)),
        successSource: (ctx) => html(ctx, pages.deviceDone()),
      },
      resourceIndicators: {
        enabled: true,
        // Without a resource the token is for nobody in particular, as at most providers.
        defaultResource: () => undefined,
        getResourceServerInfo(_ctx, resource) {
          if (!resource.startsWith(API)) throw new errors.InvalidTarget();
          return {
            scope: 'api read:data write:data',
            audience: resource,
            accessTokenTTL: settings.tokenTtl,
            accessTokenFormat: 'opaque',
          };
        },
      },
    },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    renderError: (ctx, out) => html(ctx, pages.failed(out)),
    // Long enough that no test outlives a refresh token by accident.
    ttl: {
      ClientCredentials: settings.tokenTtl,
      AccessToken: settings.tokenTtl,
      RefreshToken: 86_400,
      Grant: 86_400,
      Session: 86_400,
      Interaction: 3600,
      IdToken: 3600,
      DeviceCode: settings.deviceTtl,
    },
  });
  return provider;
}

// A first refresh token, as a login would have brought it.
export async function mint(provider, client_id) {
  const client = await provider.Client.find(client_id);
  const grant = new provider.Grant({ accountId: 'ada', clientId: client_id });
  grant.addOIDCScope(client.scope);
  const grantId = await grant.save();
  const token = new provider.RefreshToken({
    accountId: 'ada',
    client,
    grantId,
    gty: 'authorization_code',
    scope: client.scope,
  });
  return { refresh_token: await token.save(), family: grantId };
}
