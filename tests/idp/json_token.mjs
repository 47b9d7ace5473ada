// A token endpoint that takes JSON alone and calls a resource an audience, as some big providers do. It passes the
// request on to the real one as a form.

import { Readable } from 'node:stream';

const BODY_BYTES_MAX = 64 * 1024;

export async function jsonToken(oidc, request, response, reply) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > BODY_BYTES_MAX) return reply(413, { error: 'invalid_request' });
  }
  let body;
  try {
    if (!/^application\/json\b/.test(request.headers['content-type'])) throw new TypeError();
    body = JSON.parse(text);
  } catch {
    return reply(415, { error: 'invalid_request', error_description: 'the body is not JSON' });
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
