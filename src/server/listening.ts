import type { AddressInfo, ListenOptions, Server } from 'node:net';
import { removeStaleSocket, restrictSocket } from './unix-socket.js';
import { tcpAddress } from './tcp-address.js';

/** See the fields of the same names in `Config`. */
export interface Place {
  readonly listen?: string | undefined;
  readonly listenMode?: number | undefined;
  readonly port: number;
  readonly host?: string | undefined;
}

/**
 * Listens where the configuration says. Resolves when connections are accepted, with the address and the
 * port; of a Unix socket these are its path and 0. Rejects with the cause, such as EADDRINUSE.
 */
export async function listenAt(
  server: Server,
  { listen: path, listenMode, port, host }: Place,
): Promise<Pick<AddressInfo, 'address' | 'port'>> {
  if (path === undefined) {
    await listen(server, { port, host });
    return tcpAddress(server);
  }
  await removeStaleSocket(path);
  await listen(server, { path });
  restrictSocket(path, listenMode);
  return { address: path, port: 0 };
}

function listen(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    // It stays: a connection that can't be accepted, because files are out, is no reason to end the process.
    server.on('error', reject).listen(options, resolve);
  });
}
