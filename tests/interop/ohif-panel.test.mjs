// O: the OHIF FHIRcast panel, by its wire: it invents an endpoint, names it for ever, and closes without a code.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { it } from 'node:test';
import { MOUNTS, ORIGIN, clientAt, freshTopic, patientEvent } from './lib/hub.mjs';
import { Socket, answersCount, isEvent, seenByNow, subscribed, witnessed } from './lib/subscriber.mjs';

/** What it makes up, after the shape of the hub's path. */
const invented = (hub) => `${ORIGIN.replace('http', 'ws')}/${hub.mount.includes('/fhircast/') ? 'ws/fhircast' : 'bind'}/${randomUUID()}`;

const form = (mode, topic, endpoint) =>
  `hub.channel.type=websocket&hub.mode=${mode}&hub.topic=${topic}&hub.events=Patient-open%2CPatient-close` +
  `&hub.secret=${'s'.repeat(16)}&hub.lease_seconds=999&hub.channel.endpoint=${encodeURIComponent(endpoint)}`;

await clientAt('O', [...MOUNTS, '/api/hub'], (hub) => {
  const subscribe = (topic, endpoint = invented(hub)) => subscribed(hub, form('subscribe', topic, endpoint));

  it('CLI-09 POL-06 CLI-18: it uses the endpoint of the answer instead of the one that it has made up', async () => {
    const topic = freshTopic();
    const mine = invented(hub);
    const endpoint = await subscribe(topic, mine);
    assert.notEqual(endpoint, mine);
    const confirmation = await new Socket(endpoint).confirmation();
    assert.equal(confirmation['hub.topic'], topic);
    assert.ok(Number.isInteger(confirmation['hub.lease_seconds']));
  });

  it('CLI-10: as it never renews, it is granted no less than the default lease', async () => {
    const confirmation = await new Socket(await subscribe(freshTopic())).confirmation();
    assert.ok(confirmation['hub.lease_seconds'] >= 7200, `${confirmation['hub.lease_seconds']}`);
  });

  it('CLI-21 NOT-04: its answer with the status "200" counts', () =>
    answersCount(hub, subscribe, 'Patient-open', ({ id }) => ({ id, status: '200' })));

  it('CLI-24 SUB-20 CONF-02: back at its endpoint, it is told the open again', async () => {
    const { topic, witness } = await witnessed(hub);
    const endpoint = await subscribe(topic);
    const lost = new Socket(endpoint);
    await lost.confirmation();
    const event = patientEvent(topic, 'Patient-open', 'p1');
    await hub.publish(event);
    await lost.event('Patient-open');
    lost.ws.terminate();
    const back = new Socket(endpoint);
    await back.confirmation();
    assert.equal((await back.event('Patient-open')).id, event.id);
    assert.deepEqual((await seenByNow(hub, topic, witness)).filter(isEvent('SyncError')), []);
  });

  it('CLI-13 CLI-14 POL-04: closed without a code, it unsubscribes by the endpoint that it has made up', async () => {
    const { topic, witness } = await witnessed(hub);
    const mine = invented(hub);
    const socket = new Socket(await subscribe(topic, mine));
    await socket.confirmation();
    socket.ws.close();
    await socket.closed;
    assert.equal((await hub.form(form('unsubscribe', topic, mine))).status, 202);
    assert.deepEqual((await seenByNow(hub, topic, witness)).filter(isEvent('SyncError')), []);
  });
});

it('CLI-16: at the origin itself it finds no hub, or it would take that for hub.url', async () => {
  assert.equal((await fetch(`${ORIGIN}/.well-known/fhircast-configuration`)).status, 404);
});

it('CLI-16 DISC-06: the metadata leads it to the hub', async () => {
  const { rest } = await (await fetch(`${ORIGIN}/metadata`)).json();
  const extension = rest[0].extension.find(({ url }) => url.includes('fhircast-configuration-extension'));
  assert.equal(extension.extension.find(({ url }) => url === 'hub.url').valueUrl, `${ORIGIN}${MOUNTS[0]}`);
});
