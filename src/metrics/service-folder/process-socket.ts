import { renameSync } from 'node:fs';
import { createServer, createConnection, type Server } from 'node:net';

/** Nobody answers at the socket: its process is gone. */
export const GONE = Symbol('gone');
/** Somebody is there, and did not answer in time. */
export const LATE = Symbol('late');

/**
 * Opens a process' socket, `….sock`: whoever connects gets what `answer` gives. Resolves when it can be asked.
 *
 * A socket is a file before anybody listens to it, and whoever asks it then takes this process for dead. So it is made under
 * another name, no longer than its own, as the path of a socket has little room.
 */
export function answerAt(path: string, answer: () => Promise<string>): Promise<Server> {
  const server = createServer((socket) => {
    // An asker that lost its patience is no reason to fail.
    socket.on('error', () => socket.destroy());
    answer().then(
      (text) => socket.end(text),
      () => socket.destroy(),
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Exclusive: otherwise the manager's primary would hold the socket, and it would outlive this process.
    const unborn = path.replace(/sock$/, 'new');
    server.listen({ path: unborn, exclusive: true }, () => {
      try {
        renameSync(unborn, path);
        // Nobody's question is a reason to stay.
        resolve(server.unref());
      } catch (err) {
        server.close();
        reject(err);
      }
    });
  });
}

/** Asks the process at a socket for what it has to say. Never rejects. */
export function askProcess(path: string, timeoutMs: number): Promise<string | typeof GONE | typeof LATE> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    let text = '';
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('end', () => resolve(text === '' ? LATE : text));
    socket.on('error', (err: NodeJS.ErrnoException) => {
      // No listener, or no socket any more. Anything else (a full backlog, say) is no proof of a death.
      resolve(err.code === 'ECONNREFUSED' || err.code === 'ENOENT' ? GONE : LATE);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(LATE);
    });
  });
}
