// H, G, V and L, by their wires: a few habits each.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MOUNTS, clientAt, freshTopic, patientEvent } from './lib/hub.mjs';
import { Socket, answersCount, isEvent, refusedHandshake, seenByNow, subscribed, witnessed } from './lib/subscriber.mjs';

const form = (topic, events = 'patient-open,patient-close', more = '') =>
  `hub.channel.type=websocket&hub.mode=subscribe&hub.topic=${encodeURIComponent(topic)}&hub.events=${encodeURIComponent(events)}${more}`;

await clientAt('H', [...MOUNTS, '/api/hub'], (hub) => {
  it('CLI-04 CLI-28 REQ-02: it publishes to the URL of its topic percent-encoded, and compares names in small letters', async () => {
    const topic = `${freshTopic()}/of dr:jones`;
    const socket = new Socket(await subscribed(hub, form(topic)));
    assert.equal((await socket.confirmation())['hub.topic'], topic);
    const url = `${hub.url}/${encodeURIComponent(topic)}`;
    assert.equal((await hub.json(url, patientEvent(topic, 'Patient-open', 'p1'))).status, 202);
    const { event } = await socket.event('Patient-open');
    assert.deepEqual([event['hub.event'], event['hub.topic']], ['patient-open', topic]);
  });

  it('CLI-21: its answer with the status "ok" counts', () =>
    answersCount(hub, (topic) => subscribed(hub, form(topic)), 'Patient-open', ({ id }) => ({ id, status: 'ok' })));

  it('POL-04 NOT-07: it closes without a code and never unsubscribes, and nobody is told', async () => {
    const { topic, witness } = await witnessed(hub);
    const socket = new Socket(await subscribed(hub, form(topic)));
    await socket.confirmation();
    await hub.publish(patientEvent(topic, 'Patient-open', 'p1'));
    await socket.event('patient-open');
    socket.ws.close();
    await socket.closed;
    assert.deepEqual((await seenByNow(hub, topic, witness)).filter(isEvent('SyncError')), []);
  });
});

await clientAt('G', [...MOUNTS, '/api/hub'], (hub) => {
  const json = { Accept: 'application/json' };

  it('CLI-16 DISC-07 SUB-08: it subscribes to all that is listed, as it is written, for no longer than it asks', async () => {
    const listed = hub.configuration.eventsSupported.join(',');
    const more = '&hub.lease_seconds=300&subscriber.name=tester';
    const confirmation = await new Socket(await subscribed(hub, form(freshTopic(), listed, more), json)).confirmation();
    assert.equal(confirmation['hub.events'], listed);
    assert.equal(confirmation['hub.lease_seconds'], 300);
  });

  it('CLI-30: errors too are JSON', async () => {
    const answer = await hub.form(form(freshTopic(), ''), json);
    assert.equal(answer.status, 400);
    assert.match((await answer.json()).message, /hub\.events/);
  });

  it('CLI-25 UNS-01: having unsubscribed it waits for the hub to close', async () => {
    const topic = freshTopic();
    const endpoint = await subscribed(hub, form(topic), json);
    const socket = new Socket(endpoint);
    await socket.confirmation();
    const unsubscribe = { 'hub.channel.type': 'websocket', 'hub.mode': 'unsubscribe', 'hub.topic': topic };
    assert.equal((await hub.form({ ...unsubscribe, 'hub.channel.endpoint': endpoint }, json)).status, 202);
    assert.equal((await socket.frames.next('the denial'))['hub.mode'], 'denied');
    assert.equal((await socket.closed).code, 1000);
    assert.equal(await refusedHandshake(endpoint), 404);
  });
});

await clientAt('L', ['/api/hub'], (hub) => {
  it('CLI-02 POL-21: it subscribes in JSON', async () => {
    const asked = { 'hub.channel.type': 'websocket', 'hub.mode': 'subscribe', 'hub.events': 'patient-open' };
    const answer = await hub.json(hub.url, { ...asked, 'hub.topic': freshTopic(), 'hub.lease': 999 });
    assert.equal(answer.status, 202, await answer.clone().text());
    await new Socket((await answer.json())['hub.channel.endpoint']).confirmation();
  });
});
