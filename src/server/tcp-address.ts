import type { AddressInfo, Server } from 'node:net';

/** Returns the address of a server that listens on a TCP port. Throws for any other. */
export function tcpAddress(server: Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server is on no TCP port');
  return address;
}
