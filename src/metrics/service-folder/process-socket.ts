import { renameSync } from 'node:fs';
import { createServer, createConnection, type Server } from 'node:net';

/** The answer of a socket at which nobody listens: its process has ended. */
export const GONE = Symbol('gone');
/** The answer of a process that did not answer in time. */
export const LATE = Symbol('late');

/**
 * Opens a process's socket, `….sock`, which sends the result of `answer` to every client.
 * Resolves when it can be asked.
 *
 * A socket is a file before anybody listens to it, and a client would take this process for dead. So it is
 * made under another name, no longer than its own, as the path of a socket has little room.
 */
export function answerAt(path: string, answer: () => Promise<string>): Promise<Server> {
  const server = createServer((socket) => {
    // A client may close its connection too early.
    socket.on('error', () => socket.destroy());
    answer().then(
      (text) => socket.end(text),
      () => socket.destroy(),
    );
  });
  return new Promise((resolve, reject) => {
    // It stays, for connections that can't be accepted.
    server.on('error', reject);
    // `exclusive`: otherwise PM2's primary would hold the socket, and it would outlive this process.
    const unborn = path.replace(/sock$/, 'new');
    server.listen({ path: unborn, exclusive: true }, () => {
      try {
        renameSync(unborn, path);
        // The socket must not keep this process alive.
        resolve(server.unref());
      } catch (err) {
        server.close();
        reject(err);
      }
    });
  });
}

/** Asks the process at a socket. Never rejects. */
export function askProcess(path: string, timeoutMs: number): Promise<string | typeof GONE | typeof LATE> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    let text = '';
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('end', () => resolve(text === '' ? LATE : text));
    socket.on('error', (err: NodeJS.ErrnoException) => {
      // There is no listener, or no socket any more. Any other error, such as a full
      // backlog, does not prove a death.
      resolve(err.code === 'ECONNREFUSED' || err.code === 'ENOENT' ? GONE : LATE);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(LATE);
    });
  });
}
