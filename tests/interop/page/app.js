// What a browser application of FHIRcast does, with what browsers have: fetch and WebSocket.

const { hub, topic } = Object.fromEntries(new URLSearchParams(location.search));
const show = (id, text) => { document.getElementById(id).textContent = text; };
const on = (id, act) => document.getElementById(id).addEventListener('click', act);

// As an application with a launch does: the header makes the browser ask the hub first.
const headers = { Authorization: 'Bearer of-a-launch' };

async function ask(url, options) {
  try {
    const answer = await fetch(url, options);
    const body = await answer.text();
    show('answer', `${answer.status} ${body}`);
    return { status: answer.status, body };
  } catch (error) {
    show('answer', `unreadable: ${error.message}`);
    throw error;
  }
}

const publish = (event) => {
  const type = { ...headers, 'Content-Type': 'application/json' };
  return ask(hub, { method: 'POST', headers: type, body: JSON.stringify(event) });
};

function follow(endpoint) {
  const socket = new WebSocket(endpoint);
  socket.addEventListener('close', ({ code }) => show('close', code));
  socket.addEventListener('message', ({ data }) => {
    const { id, event, ...rest } = JSON.parse(data);
    if (!event) return show('state', rest['hub.mode'] === 'subscribe' ? 'following' : `denied: ${rest['hub.reason']}`);
    const patient = event.context.find(({ key }) => key === 'patient');
    if (event['hub.event'] === 'Patient-open') show('patient', patient.resource.name?.[0].text ?? patient.resource.id);
    if (event['hub.event'] === 'Patient-close') show('patient', 'nobody');
    socket.send(JSON.stringify({ id, status: 200 }));
  });
}

on('open', () => {
  const resource = { resourceType: 'Patient', id: 'from-the-page', name: [{ text: 'Ada Page' }] };
  const event = { 'hub.topic': topic, 'hub.event': 'Patient-open', context: [{ key: 'patient', resource }] };
  return publish({ timestamp: new Date().toISOString(), id: crypto.randomUUID(), event });
});
on('mistake', () => publish({ id: 'x' }));
on('read', () => ask(`${hub}/${topic}`, { headers: { ...headers, 'Cache-Control': 'no-cache' } }));

const subscription = { 'hub.channel.type': 'websocket', 'hub.mode': 'subscribe', 'hub.topic': topic };
const subscribe = (more) => ask(hub, { method: 'POST', headers, body: new URLSearchParams({ ...subscription, ...more }) });

const { body } = await subscribe({ 'hub.events': 'Patient-open,Patient-close' });
const endpoint = JSON.parse(body)['hub.channel.endpoint'];
on('leave', () => subscribe({ 'hub.mode': 'unsubscribe', 'hub.channel.endpoint': endpoint }));
follow(endpoint);
