// The hub under test, as every client here finds it: by its origin, and the mounts it is said to have.

import { randomUUID } from 'node:crypto';
import { describe } from 'node:test';

/** Longer than anything here takes; a test that waits for this has failed. */
export const PATIENCE = 20_000;

/** How tests run: beside each other, and never for ever. */
const TOGETHER = { concurrency: true, timeout: 3 * PATIENCE };

export const ORIGIN = process.env.FHIRCAST_INTEROP_ORIGIN ?? 'http://127.0.0.1:8080';

/** The mounts of edition 3 that every client of a standard must be able to use. */
export const MOUNTS = (process.env.FHIRCAST_INTEROP_MOUNTS ?? '/hub').split(',');

const OPERATOR = process.env.FHIRCAST_INTEROP_OPERATOR ?? 'http://127.0.0.1:8081';

/** Waits until the hub knows that the socket of the subscriber `name` is gone, which the operator's API tells. */
export async function noticedAsLost(name) {
  for (;;) {
    const subscribers = await (await fetch(`${OPERATOR}/subscribers`)).json();
    if (!subscribers.some((subscriber) => subscriber.name === name && subscriber.connection === 'connected')) return;
  }
}

/** Tests of one client at each of `mounts`, side by side. */
export async function clientAt(client, mounts, tests) {
  const hubs = await Promise.all([...new Set(mounts)].map((mount) => Hub.at(mount)));
  describe(client, TOGETHER, () => {
    for (const hub of hubs) describe(`${client} at ${hub.mount}`, { ...TOGETHER, skip: hub.absent }, () => tests(hub));
  });
}

/** One mount of the hub, and what it says of itself. */
export class Hub {
  constructor(mount, configuration) {
    this.mount = mount;
    this.url = ORIGIN + mount;
    this.configuration = configuration;
  }

  static async at(mount) {
    const answer = await fetch(`${ORIGIN}${mount}/.well-known/fhircast-configuration`);
    return new Hub(mount, answer.ok ? await answer.json() : undefined);
  }

  /** Why tests of this mount cannot run; false if they can. */
  get absent() {
    return this.configuration ? false : `the hub has no mount ${this.mount}`;
  }

  /** Why tests that need `event` cannot run; false if they can. */
  without(event) {
    if (this.absent) return this.absent;
    const names = this.configuration.eventsSupported.map((name) => name.toLowerCase());
    return names.includes(event.toLowerCase()) ? false : `the hub does not list ${event} in eventsSupported`;
  }

  /** Posts a form made of these pairs in their order, or of these very bytes. */
  form(pairs, headers = {}) {
    const body = typeof pairs === 'string' ? pairs : new URLSearchParams(pairs).toString();
    const type = { 'Content-Type': 'application/x-www-form-urlencoded', ...headers };
    return fetch(this.url, { method: 'POST', headers: type, body });
  }

  /** Posts an event to `hub.url`. */
  publish(event) {
    return this.json(this.url, event);
  }

  json(url, body, headers = {}) {
    const type = { 'Content-Type': 'application/json', ...headers };
    return fetch(url, { method: 'POST', headers: type, body: JSON.stringify(body) });
  }
}

/** A topic that no other test uses. */
export const freshTopic = () => `interop-${randomUUID()}`;

/** An event about the patient `patient`. */
export function patientEvent(topic, name, patient, id = randomUUID()) {
  const context = [{ key: 'patient', resource: { resourceType: 'Patient', id: patient } }];
  return { timestamp: new Date().toISOString(), id, event: { 'hub.topic': topic, 'hub.event': name, context } };
}

/** Waits for `promise`, but not for ever; `what` says what did not come. */
export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not come within ${PATIENCE} ms: ${what}`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
