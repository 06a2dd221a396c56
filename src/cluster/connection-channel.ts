import type { SendHandle } from 'node:child_process';
import type { ConnectionHandle } from '../server/connection-handle.js';

/** This process's end of a channel: `process` in a worker, a child in the primary. */
interface Channel {
  readonly connected: boolean;
  send?(message: object, handle: SendHandle, options: object, sent: () => void): boolean;
}

/**
 * Sends a connection to the other end and closes it here. Resolves when that is done,
 * also when the channel is gone.
 */
export function sendConnection(
  channel: Channel,
  type: 'hand-over' | 'adopt',
  connection: ConnectionHandle,
): Promise<void> {
  return new Promise((resolve) => {
    const sent = (): void => {
      connection.close();
      resolve();
    };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node's types know no raw handles
    if (channel.connected) channel.send?.({ type }, connection as unknown as SendHandle, {}, sent);
    else sent();
  });
}
