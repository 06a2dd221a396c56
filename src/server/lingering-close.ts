import type { Socket } from 'node:net';

/** How much of what a client still sends is read, and for how long in all and without a byte. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_MS = 10_000;
const MAX_SILENCE_MS = 2_000;

/**
 * Makes Node close this connection with patience, should the answer that was just sent be its last. Node would destroy it at
 * once, and the system answers what the client goes on sending with a reset, which discards the answer that it has not
 * read: of a body that is too large most clients would never see the 413 (RFC 9112 section 9.6).
 */
export function closePatiently(socket: Socket): void {
  socket.destroySoon = () => endPatiently(socket);
}

/**
 * Ends this side of a connection, and reads on without looking until the client has ended too.
 * @param lastWords to be sent before
 */
export function endPatiently(socket: Socket, lastWords = ''): void {
  let left = MAX_BYTES;
  const close = () => void socket.destroy();
  // The HTTP parser's, for which nothing that follows is a request.
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
}
