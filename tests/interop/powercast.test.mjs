// P: the public stand-in for PowerCast, by its wire: names of its own, local times, answers nothing, reads the context often.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { it } from 'node:test';
import { MOUNTS, clientAt, freshTopic } from './lib/hub.mjs';
import { Socket, isEvent, seenByNow, subscribed, subscriberOf, witnessed } from './lib/subscriber.mjs';

const EVENTS = 'Patient-open,Patient-close,DMVAMessage,DiagnosticReport-opened,DiagnosticReport-closed,DiagnosticReport-updated';

const form = (topic) =>
  `hub.callback=&hub.channel.type=websocket&hub.events=${encodeURIComponent(EVENTS)}&hub.lease_seconds=86400` +
  `&hub.mode=subscribe&hub.secret=${'s'.repeat(16)}&hub.subscriber=TestPowerCast&hub.topic=${topic}`;

/** Its times are local ones with seven decimals, its ids no UUIDs. */
const event = (topic, name, context) => ({
  timestamp: '2026-05-04T10:15:30.1234567+02:00',
  id: `TestPowerCast-${randomUUID().replaceAll('-', '')}`,
  event: { 'hub.topic': topic, 'hub.event': name, context },
});

const patient = (id) => [{ key: 'patient', resource: { resourceType: 'Patient', id } }];

async function follow(hub, topic) {
  const socket = new Socket(await subscribed(hub, form(topic)));
  return { socket, confirmation: await socket.confirmation() };
}

const publish = (hub, body) =>
  hub.json(`${hub.url}/${body.event['hub.topic']}`, body, { 'Content-Type': 'application/json; charset=utf-8' });

await clientAt('P', [...MOUNTS, '/fhircast/powercast'], (hub) => {
  it('CLI-11 CLI-12 CLI-18: names that the hub does not know are granted with the rest, and the lease is an integer', async () => {
    const topic = freshTopic();
    const { confirmation } = await follow(hub, topic);
    assert.deepEqual([confirmation['hub.topic'], confirmation['hub.lease_seconds']], [topic, 86400]);
    assert.deepEqual(confirmation['hub.events'].split(',').sort(), EVENTS.split(',').sort());
  });

  it('CLI-03 CLI-31 CLI-32: its ids stay, and its local times go out in UTC', async () => {
    const topic = freshTopic();
    const { socket } = await follow(hub, topic);
    const sent = event(topic, 'Patient-open', patient('p1'));
    assert.equal((await publish(hub, sent)).status, 202);
    const { id, timestamp } = await socket.event('Patient-open');
    assert.equal(id, sent.id);
    assert.match(timestamp, /^2026-05-04T08:15:30\.123\d*Z$/);
  });

  it('CLI-11 SUB-17: to the others it goes by `hub.subscriber`', async () => {
    const { topic, witness } = await witnessed(hub);
    const { socket } = await follow(hub, topic);
    await publish(hub, event(topic, 'Patient-open', patient('p1')));
    socket.send({ id: (await socket.event('Patient-open')).id, status: 409 });
    const seen = await witness.frames.until(isEvent('SyncError'), 'the SyncError about its refusal');
    assert.equal(subscriberOf(seen.at(-1)), 'TestPowerCast');
  });

  it('NOT-07: it closes with 1000, and nobody is told', async () => {
    const { topic, witness } = await witnessed(hub);
    const { socket } = await follow(hub, topic);
    socket.ws.close(1000);
    await socket.closed;
    assert.deepEqual((await seenByNow(hub, topic, witness)).filter(isEvent('SyncError')), []);
  });
});

await clientAt('P', ['/fhircast/powercast'], (hub) => {
  const context = async (topic) => (await fetch(`${hub.url}/${topic}`)).json();

  it('CLI-36 CLI-37 POL-16: the context that it reads is an array, of which the anchor has its version', async () => {
    const topic = freshTopic();
    assert.deepEqual(await context(topic), []);
    const report = { resourceType: 'DiagnosticReport', id: 'r1' };
    await publish(hub, event(topic, 'DiagnosticReport-open', [...patient('p1'), { key: 'report', resource: report }]));
    const [current] = await context(topic);
    const { resource } = current.context.find(({ key }) => key === 'report');
    assert.equal(current.contextType, 'DiagnosticReport');
    assert.equal(resource.meta.versionId, current['context.versionId']);
  });

  it('CLI-37 CLI-30 POL-05: an error is an object with a `message`', async () => {
    const answer = await publish(hub, event(freshTopic(), 'Patient-open', []));
    assert.equal(answer.status, 400);
    assert.equal(typeof (await answer.json()).message, 'string');
  });
});
