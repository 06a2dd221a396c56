import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Worker } from 'node:worker_threads';
import { readNow } from '../../src/server/connection-handle';
import { selfSigned } from '../support/certificate';

/** Connects, writes a request when it is told to, and passes on what comes back. */
const CLIENT = `
  const { parentPort, workerData: { port, ca } } = require('node:worker_threads');
  const socket = require('node:tls').connect({ port, ca, host: '127.0.0.1' });
  parentPort.once('message', () => socket.write('GET /late HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'));
  socket.setEncoding('utf8').once('data', (text) => parentPort.postMessage(text));`;

test('what has arrived on a TLS connection since the last poll is read, decrypted and answered', async () => {
  const { cert, key } = selfSigned();
  const server = https.createServer({ cert, key }, (req, res) => res.end(`answer to ${req.url}`));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const secured = new Promise<TLSSocket>((resolve) => server.once('secureConnection', resolve));
  const { port } = server.address() as AddressInfo; // of a TCP server
  const client = new Worker(CLIENT, { eval: true, workerData: { port, ca: cert } });
  const answer = new Promise<string>((resolve) => client.once('message', resolve));
  try {
    const socket = await secured;
    expect(readNow(socket)).toBe(false);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    client.postMessage('write');
    // This thread does not return to its event loop, so that Node cannot read.
    const until = performance.now() + 10_000;
    let isRead = false;
    while (!isRead && performance.now() < until) isRead = readNow(socket);
    expect(isRead).toBe(true);
    expect(await answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*answer to \/late$/);
  } finally {
    await client.terminate();
    server.closeAllConnections();
    server.close();
  }
});
