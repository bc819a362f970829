// M 2.1.10: the last @medplum/core that speaks STU2, at the one path that it knows.

import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import { clientAt, freshTopic } from './lib/hub.mjs';
import { connected, medplum, patient } from './lib/medplum.mjs';
import { isEvent, seenByNow, witnessed } from './lib/subscriber.mjs';

const EVENTS = ['patient-open', 'patient-close'];

await clientAt('M 2.1.10', ['/fhircast/STU2'], (hub) => {
  async function follow(topic) {
    const client = await medplum('medplum-2', hub);
    const subscription = await client.fhircastSubscribe(topic, EVENTS);
    const connection = await connected(client, subscription);
    after(() => connection.disconnect());
    return { client, subscription, connection };
  }

  it('CLI-01 CLI-19 CLI-28 CLI-29: it publishes to the URL of its topic, and gets its own event as it spells it', async () => {
    const topic = freshTopic();
    const { client, connection } = await follow(topic);
    const published = await client.fhircastPublish(topic, 'patient-open', patient('p1'));
    const message = await connection.messages.next('its own event');
    assert.deepEqual([message.id, message.event['hub.event']], [published.id, 'patient-open']);
  });

  it('CLI-28 NOT-07: it and a standard subscriber see each other, each in its spelling, and it leaves without a SyncError', async () => {
    const { topic, witness } = await witnessed(hub);
    const { client, connection } = await follow(topic);
    await client.fhircastPublish(topic, 'patient-open', patient('p1'));
    await witness.event('Patient-open');
    await connection.messages.next('its own event');
    connection.disconnect();
    await connection.ended;
    assert.deepEqual((await seenByNow(hub, topic, witness)).filter(isEvent('SyncError')), []);
  });

  it('CLI-13 UNS-01: it unsubscribes by `endpoint`, which ends its socket', async () => {
    const { client, subscription, connection } = await follow(freshTopic());
    await client.fhircastUnsubscribe(subscription);
    await connection.ended;
  });
});
