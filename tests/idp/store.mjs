// What the provider remembers, in memory: everything, so that a long run loses no family to a cache, and what
// became of each family of refresh tokens, so that a test can ask.

import { errors } from 'oidc-provider';

const records = new Map();
const members = new Map();
const families = new Map();

// By other names: sessions by uid, device codes by what the person types.
const uids = new Map();
const userCodes = new Map();

const key = (model, id) => `${model}:${id}`;

// Counts a refresh that is granted, and tells the how many-eth it is.
export function granted(id) {
  const known = families.get(id);
  known.refreshes += 1;
  return known.refreshes;
}

export const family = (id) => families.get(id);
export const all = (client) => [...families.values()].filter((one) => !client || one.client === client);

// Takes everything back that a client was granted.
export async function revokeClient(client) {
  const store = new Store('Grant');
  for (const { id } of all(client)) {
    await store.revokeByGrantId(id);
    await store.destroy(id);
  }
}

// A client whose properties may change while the provider runs.
export const putClient = (metadata) => records.set(key('Client', metadata.client_id), { ...metadata });
export const getClient = (id) => records.get(key('Client', id));

// The adapter of oidc-provider: https://github.com/panva/node-oidc-provider, docs/README.md, "adapter".
export class Store {
  constructor(model) {
    this.model = model;
  }

  async upsert(id, payload, expiresIn) {
    const expires = expiresIn === undefined ? undefined : Date.now() + expiresIn * 1000;
    records.set(key(this.model, id), { ...payload });
    if (payload.uid) uids.set(payload.uid, id);
    if (payload.userCode) userCodes.set(payload.userCode, id);
    if (payload.grantId) {
      // A family of refresh tokens is remembered from its first one on.
      if (this.model === 'RefreshToken' && !families.has(payload.grantId)) {
        const { grantId, clientId } = payload;
        families.set(grantId, { id: grantId, client: clientId, refreshes: 0, rotations: 0, revoked: false, committed_ns: null });
      }
      const set = members.get(payload.grantId) ?? new Map();
      const now = Date.now();
      // Access tokens that have expired need no revoking.
      for (const [member, until] of set) {
        if (until < now) {
          set.delete(member);
          records.delete(member);
        }
      }
      set.set(key(this.model, id), expires ?? Infinity);
      members.set(payload.grantId, set);
    }
  }

  async find(id) {
    const found = records.get(key(this.model, id));
    return found && { ...found };
  }

  async findByUid(uid) {
    return this.find(uids.get(uid));
  }

  async findByUserCode(code) {
    return this.find(userCodes.get(code));
  }

  async destroy(id) {
    records.delete(key(this.model, id));
  }

  // From here on the presented token is burnt. Two requests that overlap both find it unused, so the second is
  // caught here: reuse is reuse.
  async consume(id) {
    const token = records.get(key(this.model, id));
    if (!token || token.consumed) {
      if (token) await this.revokeByGrantId(token.grantId);
      throw new errors.InvalidGrant(`${this.model} already used`);
    }
    token.consumed = Math.floor(Date.now() / 1000);
    const known = this.model === 'RefreshToken' && families.get(token.grantId);
    if (known) {
      known.rotations += 1;
      // CLOCK_MONOTONIC, which a test on the same machine can read too.
      known.committed_ns = process.hrtime.bigint().toString();
    }
  }

  async revokeByGrantId(id) {
    for (const member of members.get(id)?.keys() ?? []) records.delete(member);
    members.delete(id);
    const known = families.get(id);
    if (known) known.revoked = true;
  }
}
