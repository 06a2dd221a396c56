import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { readOn } from './connection-handle.js';

/** Limits for reading on from a client: bytes, milliseconds in all, and milliseconds without a byte. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_MS = 10_000;
const MAX_SILENCE_MS = 2_000;

/**
 * Makes Node close this connection with patience, if the answer that was just sent is its last. Node would
 * destroy it at once, and the system would answer the client's next bytes with a reset, which discards the
 * unread answer: most clients would never see the 413 for a body that is too large (RFC 9112 section 9.6).
 * Who still reads the request learns of the close: Node tells only requests without an answer.
 */
export function closePatiently(socket: Socket, req: IncomingMessage): void {
  const aborted = () => req.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
  socket.destroySoon = () => {
    socket.once('close', aborted);
    endPatiently(socket);
  };
}

/**
 * Ends this side of a connection, and discards the input until the client has ended too.
 * @param lastWords text to send before
 */
export function endPatiently(socket: Socket, lastWords = ''): void {
  let left = MAX_BYTES;
  const close = () => void socket.destroy();
  // This removes the HTTP parser, since no later byte is part of a request.
  socket.removeAllListeners('data');
  socket.on('data', (bytes: Buffer) => {
    left -= bytes.length;
    if (left < 0) close();
  });
  socket.once('end', close);
  socket.setTimeout(MAX_SILENCE_MS, close);
  const timer = setTimeout(close, MAX_MS);
  socket.once('close', () => clearTimeout(timer));
  socket.end(lastWords);
  socket.resume();
  readOn(socket);
}
