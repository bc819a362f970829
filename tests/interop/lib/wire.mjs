// The network between a client and the hub: a TCP proxy that can cut what runs through it.

import { once } from 'node:events';
import net from 'node:net';
import { Hub, ORIGIN } from './hub.mjs';

export class Wire {
  #open = new Set();
  /** The path of every WebSocket handshake that has come through. */
  handshakes = [];

  static async lay() {
    const wire = new Wire();
    const { hostname, port } = new URL(ORIGIN);
    wire.server = net.createServer((client) => wire.#join(client, net.connect(port, hostname)));
    wire.server.listen(0, '127.0.0.1');
    await once(wire.server, 'listening');
    return wire;
  }

  /** The hub as it is reached through this wire. */
  to(hub) {
    const there = new Hub(hub.mount, hub.configuration);
    there.url = `http://127.0.0.1:${this.server.address().port}${hub.mount}`;
    return there;
  }

  #join(client, hub) {
    client.once('data', (head) => {
      const [, path] = /^GET (\S+) HTTP.*\r\nupgrade: websocket\r\n/is.exec(head.toString('latin1')) ?? [];
      if (path) this.handshakes.push(path);
    });
    for (const [from, to] of [[client, hub], [hub, client]]) {
      this.#open.add(from);
      from.on('error', () => to.destroy()).on('close', () => this.#open.delete(from));
      from.pipe(to);
    }
  }

  /** Cuts every connection, without a word in the protocol above. */
  cut() {
    for (const socket of this.#open) socket.resetAndDestroy();
  }

  remove() {
    this.server.close();
    this.cut();
  }
}
