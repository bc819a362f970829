// A subscriber that follows the standard to the letter: the witness beside the client under test.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import WebSocket from 'ws';
import { freshTopic, patientEvent, within } from './hub.mjs';
import { Inbox } from './inbox.mjs';

export const isEvent = (name) => (frame) => frame.event?.['hub.event'].toLowerCase() === name.toLowerCase();

/** A WebSocket whose frames are kept until they are asked for. */
export class Socket {
  constructor(url, options = {}) {
    this.frames = new Inbox();
    this.ws = new WebSocket(url, options);
    this.opened = within(new Promise((resolve, reject) => this.ws.on('open', resolve).on('error', reject)), 'open');
    this.closed = new Promise((resolve) => this.ws.on('close', (code, reason) => resolve({ code, reason: `${reason}` })));
    this.ws.on('message', (data) => {
      const frame = JSON.parse(data);
      this.frames.put(frame);
      this.onframe?.(frame);
    });
    // Whoever waits for `opened` is told; others see the close.
    this.opened.catch(() => {});
    after(() => this.ws.terminate());
  }

  /** The next frame, which must be the confirmation. */
  async confirmation() {
    const frame = await this.frames.next('the confirmation');
    assert.equal(frame['hub.mode'], 'subscribe', JSON.stringify(frame));
    return frame;
  }

  /** The next frame, which must be the event `name`. */
  async event(name) {
    const frame = await this.frames.next(name);
    assert.ok(isEvent(name)(frame), `not ${name}, but ${JSON.stringify(frame)}`);
    return frame;
  }

  send(frame) {
    this.ws.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }
}

/** Subscribes at `hub`, connects, and has had its confirmation; answers every event unless told not to. */
export async function subscriber(hub, topic, events, { answers = true, ...more } = {}) {
  const asked = { 'hub.channel.type': 'websocket', 'hub.mode': 'subscribe', 'hub.topic': topic };
  const answer = await hub.form({ ...asked, 'hub.events': events.join(','), ...more });
  assert.equal(answer.status, 202, await answer.clone().text());
  const endpoint = (await answer.json())['hub.channel.endpoint'];
  const socket = new Socket(endpoint);
  socket.endpoint = endpoint;
  socket.answers = answers;
  socket.onframe = ({ id, event }) => {
    if (event && socket.answers) socket.send({ id, status: 200 });
  };
  await socket.opened;
  await socket.confirmation();
  return socket;
}

/** A topic with a witness of everything on it. */
export async function witnessed(hub, events = ['Patient-open', 'Patient-close', 'SyncError'], topic = freshTopic()) {
  return { topic, witness: await subscriber(hub, topic, events, { 'subscriber.name': 'witness' }) };
}

/**
 * What the witness has seen when it sees a last event that is published now: whatever the hub had decided by then comes
 * before it, since a topic has one order.
 */
export async function seenByNow(hub, topic, witness, name = 'Patient-close') {
  const last = patientEvent(topic, name, 'the-last');
  assert.equal((await hub.publish(last)).status, 202);
  const seen = await witness.frames.until((frame) => frame.id === last.id, 'the last event');
  return seen.slice(0, -1);
}

/**
 * What the witness has seen when the time to answer everything published before this call has passed. Told by a subscriber
 * that has answered once and then keeps silent: its own SyncError comes when that time is over, and not before the
 * SyncErrors about those who have owed an answer for longer.
 */
export async function seenAfterResponseTime(hub, topic, witness, name = 'Patient-open') {
  const canary = await subscriber(hub, topic, [name], { answers: false, 'subscriber.name': 'canary' });
  const events = [patientEvent(topic, name, 'canary-1'), patientEvent(topic, name, 'canary-2')];
  canary.answers = true;
  assert.equal((await hub.publish(events[0])).status, 202);
  await canary.frames.until((frame) => frame.id === events[0].id, 'the first event of the canary');
  canary.answers = false;
  assert.equal((await hub.publish(events[1])).status, 202);
  const told = (frame) => isEvent('SyncError')(frame) && subscriberOf(frame) === 'canary';
  const seen = await witness.frames.until(told, 'the SyncError about the canary');
  return seen.slice(0, -1).filter((frame) => !events.some(({ id }) => id === frame.id));
}

/** Whom a SyncError is about. */
export function subscriberOf(syncError) {
  const { coding } = syncError.event.context[0].resource.issue[0].details;
  return coding.find(({ system }) => system.endsWith('/subscribername')).code;
}

/** The status with which the hub refuses a handshake at `endpoint`. */
export function refusedHandshake(endpoint) {
  const { ws } = new Socket(endpoint);
  const refusal = new Promise((resolve, reject) => {
    ws.on('unexpected-response', (_, { statusCode }) => resolve(statusCode)).on('open', () => reject(new Error('it is open')));
  });
  return within(refusal, 'the refusal of a handshake');
}

/** Subscribes with these very bytes, as a client does that takes only 202 and JSON; the endpoint. */
export async function subscribed(hub, body, headers) {
  const answer = await hub.form(body, headers);
  assert.equal(answer.status, 202, await answer.clone().text());
  assert.match(answer.headers.get('content-type'), /^application\/json/);
  const endpoint = (await answer.json())['hub.channel.endpoint'];
  assert.match(endpoint, /^wss?:\/\//);
  return endpoint;
}

/**
 * Proves that `answer(frame)` counts as one: only who has once answered owes answers, so the endpoint first answers in the
 * standard's words; from then on in the client's.
 */
export async function answersCount(hub, endpointOn, name, answer) {
  const { topic, witness } = await witnessed(hub, [name, 'SyncError']);
  const client = new Socket(await endpointOn(topic));
  await client.confirmation();
  client.send({ id: await told(hub, topic, name, client), status: 200 });
  client.onframe = (frame) => client.send(answer(frame));
  await told(hub, topic, name, client);
  const seen = await seenAfterResponseTime(hub, topic, witness, name);
  assert.deepEqual(seen.filter(isEvent('SyncError')), []);
}

async function told(hub, topic, name, client) {
  const event = patientEvent(topic, name, 'p1');
  assert.equal((await hub.publish(event)).status, 202);
  return (await client.event(name)).id;
}
