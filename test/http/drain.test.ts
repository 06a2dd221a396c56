import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Server } from '../../src/http/server';
import { RequestMetrics } from '../../src/metrics/request-metrics';

/** In a thread of its own: it writes a second request while the thread of the server is busy. */
const client = `
const { workerData, parentPort } = require('node:worker_threads');
const { connect } = require('node:net');
const { port, flags } = workerData;
const request = 'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n';
const socket = connect(port, '127.0.0.1', () => socket.write(request));
let answers = 0;
socket.on('error', () => undefined);
socket.on('close', () => parentPort.postMessage({ answers }));
socket.on('data', (data) => {
  answers += data.toString().split('HTTP/1.1 200').length - 1;
  if (answers > 1) return;
  parentPort.postMessage('idle');
  Atomics.wait(flags, 0, 0);
  socket.write(request, () => Atomics.store(flags, 1, 1) + Atomics.notify(flags, 1));
});
`;

it('answers a request that arrived before its idle connection is closed, though it was not read yet', async () => {
  const server = new Server((_req, res) => res.end('ok'), new RequestMetrics([1]));
  const { port } = await server.listen(0, '127.0.0.1');
  const flags = new Int32Array(new SharedArrayBuffer(8));
  const thread = new Worker(client, { eval: true, workerData: { port, flags } });
  try {
    await once(thread, 'message');
    const graceMs = 20;
    const started = performance.now();
    const drained = server.drain({ timeoutMs: 5000, graceMs });
    Atomics.store(flags, 0, 1);
    Atomics.notify(flags, 0);
    Atomics.wait(flags, 1, 0, 5000);
    while (performance.now() < started + 2 * graceMs);
    const [{ answers }] = await once(thread, 'message');
    expect(answers).toBe(2);
    await drained;
  } finally {
    await thread.terminate();
    server.http.closeAllConnections();
  }
});
