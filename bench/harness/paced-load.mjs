// @ts-check
import { connect } from 'node:net';
import { once } from 'node:events';

// paced-load.mjs PORT CONNECTIONS RATE: asks for `/` at a steady rate whenever the bench says `{ seconds }`, and answers with
// the latencies in ms. A latency counts from the moment when the request was due: a server that stalls can't hide the
// requests that it kept from being sent.
const [port, connections, rate] = process.argv.slice(2).map(Number);
const REQUEST = 'GET / HTTP/1.1\r\nHost: bench\r\n\r\n';
const OK = 'HTTP/1.1 200 ';

/** @type {number[]} */
let latencies = [];
const lanes = await Promise.all(Array.from({ length: connections ?? 1 }, open));

/** A keep-alive connection; what is due while it waits for an answer is sent afterwards. */
async function open() {
  const socket = connect({ port: port ?? 0, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  /** @type {number[]} */
  const due = [];
  socket.setEncoding('latin1').on('data', (/** @type {string} */ text) => {
    // Answers are short: each comes in one piece.
    if (!text.startsWith(OK)) throw new Error(text);
    latencies.push(performance.now() - (due.shift() ?? NaN));
    if (due.length > 0) socket.write(REQUEST);
  });
  return (/** @type {number} */ when) => {
    if (due.push(when) === 1) socket.write(REQUEST);
  };
}

/** @param {number} seconds */
async function measure(seconds) {
  latencies = [];
  const total = Math.round(seconds * (rate ?? 0));
  const start = performance.now();
  for (let sent = 0; sent < total; await new Promise((resolve) => setImmediate(resolve))) {
    for (const now = performance.now(); sent < total && dueAt(sent) <= now; sent++)
      lanes[sent % lanes.length]?.(dueAt(sent));
  }
  while (latencies.length < total) await new Promise((resolve) => setTimeout(resolve, 5));
  return latencies;

  function dueAt(/** @type {number} */ i) {
    return start + (i * 1000) / (rate ?? 1);
  }
}

process.on('disconnect', () => process.exit());
process.on('message', (/** @type {any} */ { seconds }) => {
  void measure(seconds).then((measured) => process.send?.(measured));
});
process.send?.({ ready: true });
