import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { CommandError } from './command-error.js';

/**
 * Sends a request to a service's control socket. Resolves when its answer begins.
 * @param signal gives up waiting
 * @throws CommandError with the reason if the service refuses
 */
export async function ask(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  const res = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ socketPath, method, path, ...(signal && { signal }) }, resolve)
      .once('error', reject)
      .end();
  });
  if (res.statusCode !== 200) throw new CommandError(await text(res));
  return res;
}
