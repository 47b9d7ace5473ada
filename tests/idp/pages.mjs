// The pages that a person sees. Plain forms: each button has an id that a test can click.

const escaped = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const page = (title, body) =>
  `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head><body><h1>${title}</h1>${body}</body></html>`;

const denyForm = (uid) =>
  `<form method="post" action="/interaction/${uid}/deny"><button id="deny">Deny</button></form>`;

export const login = (uid, client) =>
  page(
    'Sign in',
    `<p>to go on to ${escaped(client)}</p>
<form method="post" action="/interaction/${uid}/login"><label>Name <input id="login" name="login" autofocus></label> <button id="sign-in">Sign in</button></form>
${denyForm(uid)}`,
  );

export const consent = (uid, client, scope) =>
  page(
    'Allow access',
    `<p>${escaped(client)} asks for: <span id="scope">${escaped(scope)}</span></p>
<form method="post" action="/interaction/${uid}/allow"><button id="allow">Allow</button></form>
${denyForm(uid)}`,
  );

export const failed = (out) =>
  page('That did not work', `<pre id="error">${escaped(JSON.stringify(out))}</pre>`);

// oidc-provider brings the form; its button is ours.
export const userCode = (form, error) =>
  page(
    'Connect a device',
    `<p id="problem">${error ? escaped(error.message) : ''}</p>${form}<button id="continue" form="op.deviceInputForm">Continue</button>`,
  );

export const confirmDevice = (form, client, code) =>
  page(
    'Is this your device?',
    `<p>${escaped(client)} shows <code id="user-code">${escaped(code)}</code></p>${form}
<button id="continue" form="op.deviceConfirmForm">Continue</button>
<button id="abort" form="op.deviceConfirmForm" name="abort" value="yes">Abort</button>`,
  );

export const deviceDone = () => page('Connected', '<p id="done">You can close this page.</p>');
