// M: @medplum/core as of edition 3, at every mount of that edition.

import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import { MOUNTS, clientAt, freshTopic } from './lib/hub.mjs';
import { connected, medplum, patient, read, report } from './lib/medplum.mjs';
import { Socket, isEvent, seenAfterResponseTime, seenByNow, witnessed } from './lib/subscriber.mjs';
import { Wire } from './lib/wire.mjs';

const EVENTS = ['Patient-open', 'DiagnosticReport-open', 'syncerror'];

/** Until 4.1 a client does not come back by itself, and unsubscribes in a way of its own. */
const VERSIONS = [
  { name: '@medplum/core', version: '5.2.13', comesBack: true },
  { name: 'medplum-5.1', version: '5.1.30', comesBack: true },
  { name: 'medplum-4', version: '4.1.0', comesBack: false },
  { name: 'medplum-3', version: '3.2.20', comesBack: false },
];

/** A short pause before coming back, one for all, so that who comes back tells that another would have. */
const SOON = { minReconnectionDelay: 200 };

for (const { name, version, comesBack } of VERSIONS) {
  await clientAt(`M ${version}`, MOUNTS, (hub) => client(hub, name, comesBack));
}

function client(hub, name, comesBack) {
  /** A client, its subscription and its connection, over a wire of its own. */
  async function follow(topic, { options, events = EVENTS } = {}) {
    const wire = await Wire.lay();
    after(() => wire.remove());
    const client = await medplum(name, wire.to(hub));
    const subscription = await client.fhircastSubscribe(topic, events);
    const connection = await connected(client, subscription, options);
    after(() => connection.disconnect());
    return { wire, client, subscription, connection };
  }

  it('SUB-09 CLI-18 CLI-19 CLI-29 REQ-06: it subscribes, publishes, and gets its own event under the published id', async () => {
    const topic = freshTopic();
    const { client, connection } = await follow(topic);
    const published = await client.fhircastPublish(topic, 'Patient-open', patient('p1'));
    const message = await connection.messages.next('its own event');
    assert.equal(message.id, published.id);
    assert.equal(message.event['hub.event'], 'Patient-open');
    assert.equal(message.event.context[0].resource.id, 'p1');
  });

  it('UPD-01 CLI-34: the open of a report comes with a version, the one that its publisher is told', async () => {
    const topic = freshTopic();
    const { client, connection } = await follow(topic);
    const published = await client.fhircastPublish(topic, 'DiagnosticReport-open', report('r1'));
    const message = await connection.messages.next('the open');
    assert.equal(typeof message.event['context.versionId'], 'string');
    assert.equal(message.event['context.versionId'], published['context.versionId']);
  });

  it('CTX-01 CLI-36: it reads the context that is current, and that there is none', async () => {
    const topic = freshTopic();
    const client = await medplum(name, hub);
    const none = await client.fhircastGetContext(topic);
    assert.deepEqual([none['context.type'], none.context], ['', []]);
    await client.fhircastPublish(topic, 'Patient-open', patient('p1'));
    const current = await client.fhircastGetContext(topic);
    assert.equal(current['context.type'], 'Patient');
    assert.equal(current.context[0].resource.id, 'p1');
  });

  it('CLI-21 NOT-04 NOT-06: its answers without a status count, and nobody is told that it is silent', async () => {
    const { topic, witness } = await witnessed(hub, ['Patient-open', 'SyncError']);
    const client = await medplum(name, hub);
    const subscription = await client.fhircastSubscribe(topic, EVENTS);
    // Only who has once answered owes answers, so the endpoint answers once in the standard's words before the client does.
    const before = new Socket(subscription.endpoint);
    await before.confirmation();
    await client.fhircastPublish(topic, 'Patient-open', patient('p0'));
    before.send({ id: (await before.event('Patient-open')).id, status: 200 });
    before.ws.close(1000);
    await before.closed;
    const connection = await connected(client, subscription);
    after(() => connection.disconnect());
    await connection.messages.next('the open that is current');
    await client.fhircastPublish(topic, 'Patient-open', patient('p1'));
    await connection.messages.next('the open');
    const seen = await seenAfterResponseTime(hub, topic, witness);
    assert.deepEqual(seen.filter(isEvent('SyncError')), []);
  });

  it('CLI-30 SUB-13: a refusal reaches the application in the words of the hub', async () => {
    const client = await medplum(name, hub);
    await assert.rejects(client.fhircastSubscribe('*', EVENTS), ({ outcome, message }) => {
      assert.equal(outcome.resourceType, 'OperationOutcome');
      assert.match(outcome.issue[0].details.text, /hub\.topic/);
      assert.match(message, /hub\.topic/);
      return true;
    });
  });

  // Older ones name their endpoint as `endpoint`.
  it('CLI-13 CLI-25 UNS-01: unsubscribing is accepted, and ends its socket', async () => {
    const { client, subscription, connection } = await follow(freshTopic());
    await client.fhircastUnsubscribe(subscription);
    await connection.ended;
  });

  it('UPD-02 CLI-30: a stale update is refused in the words of the hub', { skip: hub.without('DiagnosticReport-update') }, async () => {
    const topic = freshTopic();
    const client = await medplum(name, hub);
    const { 'context.versionId': version } = await client.fhircastPublish(topic, 'DiagnosticReport-open', report('r1'));
    const updated = await client.fhircastPublish(topic, 'DiagnosticReport-update', update('r1', name), version);
    assert.notEqual(updated['context.versionId'], version);
    await assert.rejects(client.fhircastPublish(topic, 'DiagnosticReport-update', update('r1', name), version), (error) => {
      assert.match(error.outcome.issue[0].details.text, /version/);
      return true;
    });
  });

  it('UPD-09 CLI-29: its own update comes back to it', { skip: hub.without('DiagnosticReport-update') }, async () => {
    const topic = freshTopic();
    const { client, connection } = await follow(topic, { events: [...EVENTS, 'DiagnosticReport-update'] });
    const opened = await client.fhircastPublish(topic, 'DiagnosticReport-open', report('r1'));
    await connection.messages.next('the open');
    const version = opened['context.versionId'];
    const updated = await client.fhircastPublish(topic, 'DiagnosticReport-update', update('r1', name), version);
    const message = await connection.messages.next('the update');
    assert.deepEqual([message.id, message.event['context.versionId']], [updated.id, updated['context.versionId']]);
  });

  if (!comesBack) return;

  it('CLI-24 NOT-07 SUB-20 CONF-02: cut off, it is back at its endpoint, has the open again, and nobody a SyncError', async () => {
    const { topic, witness } = await witnessed(hub);
    const { wire, client, subscription, connection } = await follow(topic);
    const published = await client.fhircastPublish(topic, 'Patient-open', patient('p1'));
    assert.equal((await connection.messages.next('the open')).id, published.id);
    // Cut with its answer under way, it would owe that answer.
    await read(subscription);
    wire.cut();
    await connection.connects.next('its return');
    assert.equal((await connection.messages.next('the open again')).id, published.id);
    assert.equal(new Set(wire.handshakes).size, 1);
    assert.equal(wire.handshakes.length, 2);
    const seen = await seenByNow(hub, topic, witness);
    assert.deepEqual(seen.filter(isEvent('SyncError')), []);
  });

  it('CLI-25 UNS-02: unsubscribed, it is gone for good', async () => {
    const ended = await follow(freshTopic(), { options: SOON });
    await ended.client.fhircastUnsubscribe(ended.subscription);
    await staysAway(ended);
  });

  it('CLI-25 SUB-08: when its lease ends, it is gone for good', async () => {
    const topic = freshTopic();
    const ended = await follow(topic, { options: SOON });
    const asked = { 'hub.channel.type': 'websocket', 'hub.mode': 'subscribe', 'hub.topic': topic };
    const endpoint = { 'hub.channel.endpoint': ended.subscription.endpoint, 'hub.lease_seconds': '1' };
    assert.equal((await hub.form({ ...asked, ...endpoint })).status, 202);
    await staysAway(ended);
  });

  /** Another client that loses its connection later, and waits as long, has come back by the time that this one would have. */
  async function staysAway({ connection, wire }) {
    const other = await follow(freshTopic(), { options: SOON });
    await connection.ended;
    other.wire.cut();
    await other.connection.connects.next('the return of the other');
    assert.equal(wire.handshakes.length, 1);
  }
}

/** Version 3 of the client names the report by a resource, as the ballot edition has it. */
function anchor(id, name) {
  if (!name.endsWith('3')) return { key: 'report', reference: { reference: `DiagnosticReport/${id}` } };
  return { key: 'report', resource: { resourceType: 'DiagnosticReport', id } };
}

function update(id, name) {
  const resource = { resourceType: 'Observation', id: 'o1', status: 'preliminary', code: { text: 'a finding' } };
  const entry = [{ request: { method: 'PUT', url: 'Observation/o1' }, resource }];
  return [
    anchor(id, name),
    { key: 'updates', resource: { resourceType: 'Bundle', id: 'b1', type: 'transaction', entry } },
  ];
}

await clientAt('M 5.2.13', ['/hub-ira'], (hub) => {
  it('POL-08 SUB-17: a subscription without a name is refused with 400', async () => {
    const client = await medplum('@medplum/core', hub);
    await assert.rejects(client.fhircastSubscribe(freshTopic(), EVENTS), /subscriber\.name/);
  });
});
