// @ts-check
import { once } from 'node:events';
import { connect } from 'node:net';

// paced-load.mjs PORT CONNECTIONS RATE CLIENTS: asks for `/` at a steady rate whenever the bench says `{ seconds, scrapes }`, and
// answers with the latencies in ms. Meanwhile CLIENTS scrape, each on a connection of its own: with `scrapes: 'paced'` each
// once a second, spread evenly, with 'endless' again as soon as it has its answer; the answer has their times, too.
//
// A latency counts from the moment when this loop came to the request, also when its connection still waits for an answer: a
// server that stalls can't hide the requests that it kept from being sent, and a loop that is late itself does not count.
// Everything runs in this one loop, and looks at no more of an exposition than its length: a process of scrapers beside it would
// take its core for milliseconds at a time, and be measured.
const [port = 0, connections = 1, rate = 1, clients = 0] = process.argv.slice(2).map(Number);
const OK = 'HTTP/1.1 200 ';
/** The buffer that all connections read into: a new one for each answer would be garbage to collect. */
const buffer = Buffer.alloc(64 * 1024);

/** @type {number[]} */
let latencies = [];
/** @type {number[]} */
let scrapes = [];
let endless = false;
const lanes = await Promise.all(
  Array.from({ length: connections }, () => open('/', (due) => latencies.push(performance.now() - due))),
);
const scrapers = await Promise.all(
  Array.from({ length: clients }, async () => {
    const scrape = await open('/metrics', (due) => {
      const now = performance.now();
      scrapes.push(now - due);
      if (endless) scrape(now);
    });
    return scrape;
  }),
);

/**
 * A keep-alive connection; what is due while it waits for an answer is sent afterwards.
 * @param {string} path
 * @param {(due: number) => void} answered
 */
async function open(path, answered) {
  const request = `GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`;
  /** @type {number[]} */
  const due = [];
  let left = 0;
  const read = (/** @type {number} */ length) => {
    left = (left === 0 ? lengthOf(buffer.subarray(0, length)) : left) - length;
    if (left > 0) return true;
    const when = due.shift() ?? NaN;
    if (due.length > 0) socket.write(request);
    answered(when);
    return true;
  };
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback: read } });
  await once(socket, 'connect');
  return (/** @type {number} */ when) => {
    if (due.push(when) === 1) socket.write(request);
  };
}

/** The length of an answer by its first bytes, which have the whole of its head. */
function lengthOf(/** @type {Buffer} */ bytes) {
  const end = bytes.indexOf('\r\n\r\n') + 4;
  const head = bytes.toString('latin1', 0, end);
  const [, length] = /^content-length: (\d+)/im.exec(head) ?? [];
  if (!head.startsWith(OK) || length === undefined) throw new Error(bytes.toString('latin1', 0, 300));
  return end + Number(length);
}

/** @param {{ seconds: number, scrapes?: 'paced' | 'endless' }} plan */
async function measure(plan) {
  latencies = [];
  scrapes = [];
  endless = plan.scrapes === 'endless';
  const requests = Math.round(plan.seconds * rate);
  const paced = plan.scrapes === 'paced' ? clients * plan.seconds : 0;
  const start = performance.now();
  if (endless) for (const scrape of scrapers) scrape(start);
  let sent = 0;
  let scraped = 0;
  // A promise a turn would be most of this program's garbage.
  await new Promise((resolve) => {
    const turn = () => {
      const passed = performance.now() - start;
      for (; sent < requests && (sent * 1000) / rate <= passed; sent++)
        lanes[sent % connections]?.(performance.now());
      for (; scraped < paced && (scraped * 1000) / clients <= passed; scraped++)
        scrapers[scraped % clients]?.(start + (scraped * 1000) / clients);
      if (sent < requests) setImmediate(turn);
      else resolve(undefined);
    };
    turn();
  });
  const all = endless ? scrapes.length + clients : paced;
  endless = false;
  while (latencies.length < requests || scrapes.length < all)
    await new Promise((resolve) => setTimeout(resolve, 5));
  return { latencies, scrapes };
}

process.on('disconnect', () => process.exit());
process.on('message', (/** @type {any} */ plan) => {
  void measure(plan).then((measured) => process.send?.(measured));
});
process.send?.({ ready: true });
