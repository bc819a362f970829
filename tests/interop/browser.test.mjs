// An application in a real browser, on a page from another origin: CORS, pre-flights, and a browser's WebSocket.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { after, before, it } from 'node:test';
import { chromium } from 'playwright-core';
import { MOUNTS, PATIENCE, clientAt, freshTopic, patientEvent } from './lib/hub.mjs';
import { witnessed } from './lib/subscriber.mjs';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const TYPES = { '/index.html': 'text/html', '/app.js': 'text/javascript' };

async function serve(request, response) {
  const { pathname } = new URL(request.url, 'http://page');
  if (!TYPES[pathname]) return response.writeHead(404).end();
  response.setHeader('Content-Type', TYPES[pathname]);
  response.end(await readFile(new URL(`page${pathname}`, import.meta.url)));
}

await clientAt('Browser', MOUNTS, (hub) => {
  const server = http.createServer(serve).listen(0, '127.0.0.1');
  let browser;
  before(async () => {
    const executablePath = process.env.FHIRCAST_INTEROP_CHROMIUM ?? '/usr/bin/chromium';
    // Each launch has a profile of its own, which goes with it.
    browser = await chromium.launch({ executablePath, args: FLAGS });
    if (!server.listening) await once(server, 'listening');
  });
  after(async () => {
    await browser?.close();
    server.close();
    server.closeAllConnections();
  });

  /** The page, once it follows the topic; what it shows is read by `shows`. */
  async function open(topic) {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    const query = new URLSearchParams({ hub: hub.url, topic });
    await page.goto(`http://127.0.0.1:${server.address().port}/index.html?${query}`);
    const shows = (id, text) => page.locator(`#${id}`, { hasText: text }).waitFor();
    await shows('state', 'following');
    return { page, shows };
  }

  it('CLI-40 SUB-09 NOT-01: it subscribes, connects, and shows the patient of an event', async () => {
    const topic = freshTopic();
    const { page, shows } = await open(topic);
    const event = patientEvent(topic, 'Patient-open', 'p1');
    event.event.context[0].resource.name = [{ text: 'Grace Elsewhere' }];
    await hub.publish(event);
    await shows('patient', 'Grace Elsewhere');
    const picture = process.env.FHIRCAST_INTEROP_SCREENSHOT;
    if (picture) await page.screenshot({ path: picture });
  });

  it('CLI-40 REQ-06: what it publishes reaches others, and itself', async () => {
    const { topic, witness } = await witnessed(hub);
    const { page, shows } = await open(topic);
    await page.click('#open');
    const { event } = await witness.event('Patient-open');
    assert.equal(event.context[0].resource.id, 'from-the-page');
    await shows('patient', 'Ada Page');
    await shows('answer', '202');
  });

  it('CLI-40 SUB-13: it can read why it is refused, and the context', async () => {
    const topic = freshTopic();
    const { page, shows } = await open(topic);
    await page.click('#mistake');
    // Some mounts tell errors in JSON (POL-05).
    await shows('answer', '`timestamp` is missing');
    await hub.publish(patientEvent(topic, 'Patient-open', 'p1'));
    await page.click('#read');
    await shows('answer', '"context.type":"Patient"');
  });

  it('CLI-25 UNS-01: when it unsubscribes, its socket is told and closes properly', async () => {
    const { page, shows } = await open(freshTopic());
    await page.click('#leave');
    await shows('state', 'denied');
    await shows('close', '1000');
  });
});
