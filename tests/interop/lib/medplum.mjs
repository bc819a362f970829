// @medplum/core, several versions of it: the one FHIRcast client library in wide use.

import WebSocket from 'ws';
import { Inbox } from './inbox.mjs';
import { within } from './hub.mjs';

/** The sockets that the library has opened. */
const sockets = [];

// Node has none of its own before version 22, and the library looks for it when it is loaded.
globalThis.WebSocket = class extends WebSocket {
  constructor(...options) {
    super(...options);
    sockets.push(this);
  }
};

/** Any text of this shape that has not expired will do on an open mount; nobody signs or checks it. */
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const TOKEN = `${part({ alg: 'none' })}.${part({ exp: Math.floor(Date.now() / 1000) + 3600 })}.x`;

/** A client of the package `name` at the hub's address. */
export async function medplum(name, hub, options = {}) {
  const { MedplumClient } = await import(name);
  const address = { baseUrl: `${new URL(hub.url).origin}/`, fhircastHubUrl: hub.url };
  const client = new MedplumClient({ ...address, fetch, maxRetries: 0, ...options });
  client.setAccessToken(TOKEN);
  return client;
}

/** Connects `client` to its subscription, with what comes kept for the test. */
export async function connected(client, subscription, options) {
  const connection = client.fhircastConnect(subscription, options);
  connection.messages = new Inbox();
  connection.connects = new Inbox();
  connection.addEventListener('message', ({ payload }) => connection.messages.put(payload));
  connection.addEventListener('connect', () => connection.connects.put('connected'));
  connection.ended = within(new Promise((resolve) => connection.addEventListener('disconnect', resolve)), 'disconnect');
  // Only some tests wait for its end.
  connection.ended.catch(() => {});
  await connection.connects.next('connect');
  return connection;
}

export const patient = (id) => [{ key: 'patient', resource: { resourceType: 'Patient', id } }];

/** The context of a report, as the library wants it: the report, its patient and a study. */
export const report = (id) => [
  { key: 'report', resource: { resourceType: 'DiagnosticReport', id, status: 'unknown', code: {} } },
  { key: 'patient', resource: { resourceType: 'Patient', id: 'p1' } },
  { key: 'study', resource: { resourceType: 'ImagingStudy', id: 'i1', status: 'available', subject: {} } },
];

/** Waits until the hub has read all that was sent to this endpoint: it answers a ping in its turn. */
export async function read({ endpoint }) {
  const socket = sockets.findLast(({ url }) => url === endpoint);
  const pong = within(new Promise((resolve) => socket.once('pong', resolve)), 'pong');
  socket.ping();
  await pong;
}
