// S: the "Cast" family, by its wire: names itself at length, puts the hub's host into every endpoint, sends frames nobody asked for.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, it } from 'node:test';
import { MOUNTS, clientAt, freshTopic, patientEvent } from './lib/hub.mjs';
import { Socket, isEvent, refusedHandshake, seenByNow, subscribed, witnessed } from './lib/subscriber.mjs';
import { Wire } from './lib/wire.mjs';

const form = (mode, topic, { events = 'Patient-open,patient-close', endpoint } = {}) =>
  new URLSearchParams({
    'hub.callback': '', 'hub.channel.type': 'websocket', 'hub.events': events, 'hub.lease': '999', 'hub.mode': mode,
    'hub.topic': topic, 'subscriber.name': `SLICER-${randomUUID()}`, 'subscriber.product.name': '3D Slicer',
    'subscriber.product.version': '5.9', 'subscriber.actors': '["VIEWER"]', 'subscriber.client_info': '{"os":"linux"}',
    ...(endpoint && { 'hub.channel.endpoint': endpoint }),
  }).toString();

await clientAt('S', [...MOUNTS, '/api/hub'], (hub) => {
  it('CLI-07 CLI-08 CLI-11 UNS-01: it connects and unsubscribes at an endpoint into which it has put the host it knows', async () => {
    const { topic, witness } = await witnessed(hub);
    const wire = await Wire.lay();
    after(() => wire.remove());
    const endpoint = new URL(await subscribed(hub, form('subscribe', topic)));
    endpoint.host = new URL(wire.to(hub).url).host;
    const socket = new Socket(endpoint.href);
    await socket.confirmation();
    await subscribed(hub, form('unsubscribe', topic, { endpoint: endpoint.href }));
    socket.ws.close(1000);
    await socket.closed;
    assert.equal(await refusedHandshake(endpoint.href), 404);
    assert.deepEqual((await seenByNow(hub, topic, witness)).filter(isEvent('SyncError')), []);
  });

  it('CLI-22: frames that answer nothing neither close its socket nor reach anybody', async () => {
    const { topic, witness } = await witnessed(hub);
    const socket = new Socket(await subscribed(hub, form('subscribe', topic)));
    await socket.confirmation();
    const frames = [{ type: 'pong' }, { 'hub.channel.endpoint': 'x' }, 'no JSON', { id: 'unknown', status: 404 },
      patientEvent(topic, 'Patient-open', 'never')];
    for (const frame of frames) socket.send(frame);
    socket.ws.send(Buffer.from([1, 2, 3]));
    assert.deepEqual(await seenByNow(hub, topic, witness), []);
    await socket.event('patient-close');
    socket.ws.close(1000);
    assert.equal((await socket.closed).code, 1000);
  });

  it('CLI-33 REQ-10: members that only it knows arrive', async () => {
    const topic = freshTopic();
    const socket = new Socket(await subscribed(hub, form('subscribe', topic)));
    await socket.confirmation();
    const more = { 'subscriber.name': 'SLICER-1', 'target.name': 'OHIF-2' };
    assert.equal((await hub.publish({ ...patientEvent(topic, 'Patient-open', 'p1'), ...more })).status, 202);
    const told = await socket.event('Patient-open');
    assert.deepEqual([told['subscriber.name'], told['target.name']], ['SLICER-1', 'OHIF-2']);
  });

  it('CLI-03: its binary batches are refused as what they are', async () => {
    const headers = { 'Content-Type': 'multipart/related; boundary=b' };
    assert.equal((await fetch(hub.url, { method: 'POST', headers, body: '--b--\r\n' })).status, 415);
  });
});

await clientAt('S', ['/api/hub', '/fhircast/STU3'], (hub) => {
  it('POL-09 POL-10 CLI-42 CLI-43: under `*` it is told requests of its own kind, with an object as their context', async () => {
    const topic = freshTopic();
    const socket = new Socket(await subscribed(hub, form('subscribe', topic, { events: '*' })));
    await socket.confirmation();
    const event = { 'hub.topic': topic, 'hub.event': 'dicom-send', context: { series: ['1.2.3'] } };
    const answer = await hub.publish({ timestamp: new Date().toISOString(), id: 'SLICER-1', event });
    assert.equal(answer.status, 202, await answer.text());
    assert.deepEqual((await socket.event('dicom-send')).event.context, event.context);
  });
});
