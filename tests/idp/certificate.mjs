// What a connection's client certificate says (RFC 8705 section 2).

import { X509Certificate } from 'node:crypto';

const peer = (socket) => {
  const certificate = socket.getPeerCertificate?.();
  return certificate?.raw ? certificate : undefined;
};

export const of = (socket) => {
  const certificate = peer(socket);
  return certificate && new X509Certificate(certificate.raw);
};

export const isAuthorized = (socket) => socket.authorized === true;

const SAN = { tls_client_auth_san_dns: 'DNS', tls_client_auth_san_ip: 'IP Address', tls_client_auth_san_uri: 'URI', tls_client_auth_san_email: 'email' };

// A subject of a common name alone, or one name of the certificate's.
export function matches(socket, property, expected) {
  const { subject, subjectaltname = '' } = peer(socket);
  if (property === 'tls_client_auth_subject_dn') return `CN=${subject.CN}` === expected;
  return subjectaltname.split(', ').includes(`${SAN[property]}:${expected}`);
}
