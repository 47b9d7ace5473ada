// What each request to an endpoint for programs came to. A test can ask for all of it but secrets and refresh
// tokens, which are not written down.

const KEPT = new Set(['token', 'device_authorization', 'pushed_authorization_request', 'revocation', 'introspection']);

const all = [];

export const ofTokens = () => all.filter(({ endpoint }) => endpoint === 'token');
export const at = (endpoint) => all.filter((one) => one.endpoint === endpoint);

export function note(ctx) {
  const { route, body, client, entities } = ctx.oidc;
  if (!KEPT.has(route)) return;
  const { client_secret: _secret, refresh_token: _refresh, token, ...params } = body ?? {};
  const seen = {
    endpoint: route,
    client: client?.clientId,
    basic: ctx.get('authorization').startsWith('Basic '),
    params,
    status: ctx.status,
    error: ctx.body?.error,
    family: (entities?.RefreshToken ?? entities?.AccessToken)?.grantId,
    dpop: ctx.get('dpop') || undefined,
    // Whether it came over a connection with a client certificate.
    certificate: Boolean(ctx.socket.getPeerCertificate?.()?.raw),
    // On CLOCK_MONOTONIC, which a test on the same machine can read too.
    at_ms: Math.round(Number(process.hrtime.bigint() / 1_000_000n)),
  };
  all.push(seen);
}
