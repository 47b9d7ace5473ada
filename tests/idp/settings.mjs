// How the provider is to be: the variable IDP_SETTINGS holds an object of JSON, each of whose members may be absent.
//
//   token_ttl_s        seconds that an access token lives
//   token_delay_ms     how long a token request takes at least
//   tls                { key, certificate }: files; https in place of http
//   host               the host that the issuer names
//   ca                 a file; beside the issuer's own endpoints there are then others, as `mtls_endpoint_aliases`,
//                      that ask for client certificates of this authority (RFC 8705 section 5); needs `tls`
//   without            features that are switched off: `par`, `device`, `revocation`, `introspection`
//   par_required       the metadata asks everybody to push authorization requests (RFC 9126 section 5)
//   device_interval_s  how often a device may poll at most, said in the answer (RFC 8628 section 3.2)
//   device_ttl_s       seconds that a device code lives

import { readFileSync } from 'node:fs';

const given = JSON.parse(process.env.IDP_SETTINGS ?? '{}');

export const tokenTtl = given.token_ttl_s ?? 600;
export const tokenDelayMs = given.token_delay_ms ?? 0;
export const hostName = given.host ?? '127.0.0.1';
export const tls = given.tls && {
  key: readFileSync(given.tls.key),
  cert: readFileSync(given.tls.certificate),
};
export const clientCa = given.ca && readFileSync(given.ca);
export const parRequired = given.par_required ?? false;
export const deviceIntervalS = given.device_interval_s;
export const deviceTtl = given.device_ttl_s ?? 600;

export const has = (feature) => !(given.without ?? []).includes(feature);
