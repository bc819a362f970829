// E: the OHIF FHIRcast extension, by its wire: takes 202 only, binds by a frame, never answers, goes by its name.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { it } from 'node:test';
import { MOUNTS, clientAt, freshTopic, patientEvent, noticedAsLost } from './lib/hub.mjs';
import { Socket, isEvent, refusedHandshake, seenAfterResponseTime, seenByNow, subscribed, witnessed } from './lib/subscriber.mjs';

/** It sends what it holds as a token, even nothing. */
const HEADERS = { Authorization: 'Bearer ' };

const form = (mode, topic, name) =>
  `hub.callback=&hub.mode=${mode}&hub.channel.type=websocket&hub.events=patient-open%2Cpatient-close%2Cimagingstudy-open` +
  `&hub.topic=${topic}&hub.lease=999&subscriber.name=${name}`;

await clientAt('E', [...MOUNTS, '/api/hub'], (hub) => {
  /** Subscribed, connected, and bound by the frame that other hubs wait for. */
  async function follow(topic, name = `OHIF-${topic}-${randomUUID()}`) {
    const endpoint = await subscribed(hub, form('subscribe', topic, name), HEADERS);
    const socket = new Socket(endpoint);
    await socket.opened;
    socket.send({ 'hub.channel.endpoint': endpoint });
    const confirmation = await socket.confirmation();
    return { endpoint, socket, name, confirmation };
  }

  it('CLI-05 CLI-06 CLI-10 CLI-11: callback, `hub.lease` and an empty token change nothing', async () => {
    const { confirmation } = await follow(freshTopic());
    assert.equal(confirmation['hub.lease_seconds'], 7200);
  });

  it('CLI-22 CLI-28 CLI-31: after its bind frame it follows, in small letters, events with ids of its own kind', async () => {
    const topic = freshTopic();
    const { socket } = await follow(topic);
    const event = patientEvent(topic, 'patient-open', 'p1', 'OHIF-8a5d1c');
    assert.equal((await hub.json(`${hub.url}/${topic}`, event, HEADERS)).status, 202);
    const { id, event: told } = await socket.event('patient-open');
    assert.deepEqual([id, told['hub.event']], [event.id, 'patient-open']);
  });

  it('CLI-23 POL-01: as it never answers, nobody is told of its silence, and it is told the next event', async () => {
    const { topic, witness } = await witnessed(hub, ['Patient-open', 'SyncError']);
    const { socket } = await follow(topic);
    await hub.publish(patientEvent(topic, 'Patient-open', 'p1'));
    await socket.event('patient-open');
    const seen = await seenAfterResponseTime(hub, topic, witness);
    assert.deepEqual(seen.filter(isEvent('SyncError')), []);
    const last = patientEvent(topic, 'Patient-open', 'p2');
    await hub.publish(last);
    await socket.frames.until(({ id }) => id === last.id, 'the event after');
  });

  it('CLI-13 POL-04: it unsubscribes by topic and name, then closes without a code', async () => {
    const { topic, witness } = await witnessed(hub);
    const { socket, name, endpoint } = await follow(topic);
    await subscribed(hub, form('unsubscribe', topic, name), HEADERS);
    socket.ws.close();
    await socket.closed;
    assert.equal(await refusedHandshake(endpoint), 404);
    assert.deepEqual((await seenByNow(hub, topic, witness)).filter(isEvent('SyncError')), []);
  });

  it('CLI-15: lost, it subscribes anew under its name, and what it had before is over', async () => {
    const { topic, witness } = await witnessed(hub);
    const lost = await follow(topic);
    lost.socket.ws.terminate();
    await lost.socket.closed;
    await noticedAsLost(lost.name);
    await follow(topic, lost.name);
    assert.equal(await refusedHandshake(lost.endpoint), 404);
    assert.deepEqual((await seenByNow(hub, topic, witness)).filter(isEvent('SyncError')), []);
  });
});

await clientAt('E', ['/api/hub', '/fhircast/STU3'], (hub) => {
  const publish = (topic, name, context) => {
    const event = { 'hub.topic': topic, 'hub.event': name, context };
    const body = { timestamp: new Date().toISOString(), id: `OHIF-${randomUUID()}`, event };
    return hub.json(`${hub.url}/${topic}`, body, HEADERS);
  };

  it('CLI-44 CLI-47: a study with an empty id and a uid is opened, and an empty close closes it', async () => {
    const topic = freshTopic();
    const study = { resourceType: 'ImagingStudy', id: '', uid: '1.2.840.1' };
    assert.equal((await publish(topic, 'imagingstudy-open', [{ key: 'study', resource: study }])).status, 202);
    const current = await (await fetch(`${hub.url}/${topic}`)).json();
    assert.equal(current['context.type'], 'ImagingStudy');
    assert.equal((await publish(topic, 'imagingstudy-close', [])).status, 202);
    assert.deepEqual((await (await fetch(`${hub.url}/${topic}`)).json()).context, []);
  });

  it('CLI-50 CLI-51 CLI-52 CLI-54: its update names no report, no version, and shares an id among types', { skip: hub.without('DiagnosticReport-update') }, async () => {
    const topic = freshTopic();
    const report = { resourceType: 'DiagnosticReport', id: 'r1', status: 'unknown' };
    assert.equal((await publish(topic, 'DiagnosticReport-open', [{ key: 'report', resource: report }])).status, 202);
    const entry = ['ImagingStudy', 'Observation', 'ImagingSelection'].map((resourceType) => (
      { request: { method: 'POST' }, resource: { resourceType, id: '1' } }));
    const bundle = { resourceType: 'Bundle', type: 'transaction', entry };
    const answer = await publish(topic, 'DiagnosticReport-update', [{ key: 'updates', resource: bundle }]);
    assert.equal(answer.status, 202, await answer.text());
  });
});
