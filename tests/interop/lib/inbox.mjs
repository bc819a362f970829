// What has come and was not looked at yet, and waiting for more: tests never poll and never sleep.

import { within } from './hub.mjs';

export class Inbox {
  #items = [];
  #waiting = [];

  put(item) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(item);
    else this.#items.push(item);
  }

  /** The next item. */
  next(what) {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift());
    return within(new Promise((resolve) => this.#waiting.push(resolve)), what);
  }

  /** What came before the first item that `wanted` accepts, and that item as the last. */
  async until(wanted, what) {
    const seen = [];
    do seen.push(await this.next(what));
    while (!wanted(seen.at(-1)));
    return seen;
  }
}
