// What oidc-provider leaves to others of RFC 8628: it names no interval and bears any hurry. Here one can be named,
// and who polls faster is told to slow down.

import { deviceIntervalS } from './settings.mjs';

// RFC 8628 section 3.2 and 3.5.
const USUAL_INTERVAL_S = 5;
const SLOWER_BY_S = 5;
// Timers of two processes are not one.
const TOLERANCE_MS = 150;

const polls = new Map();
let slowDowns = 0;

// The next so many polls are told to slow down.
export function slowDown(times) {
  slowDowns = times;
}

export function afterwards(ctx) {
  const { route, params } = ctx.oidc;
  if (route === 'device_authorization' && ctx.status === 200 && deviceIntervalS !== undefined) {
    ctx.body.interval = deviceIntervalS;
  }
  if (route !== 'token' || !params?.device_code || ctx.body?.error !== 'authorization_pending') return;
  const now = Date.now();
  const poll = polls.get(params.device_code) ?? { intervalS: deviceIntervalS ?? USUAL_INTERVAL_S };
  const isEarly = poll.at !== undefined && now - poll.at < poll.intervalS * 1000 - TOLERANCE_MS;
  poll.at = now;
  polls.set(params.device_code, poll);
  if (!isEarly && slowDowns === 0) return;
  if (slowDowns > 0) slowDowns -= 1;
  poll.intervalS += SLOWER_BY_S;
  ctx.body = { error: 'slow_down', error_description: 'you are polling too quickly' };
}
