import { text } from 'node:stream/consumers';
import type { CommandInput } from './command.js';
import { ask } from './control-client.js';
import { findControlSocket } from './find-service.js';

/** Sets the log level of one worker or of the service, until the next reload. */
export async function logLevel({ words: [level = ''], options, env, out }: CommandInput): Promise<void> {
  const socket = await findControlSocket(options.port, env);
  const query = new URLSearchParams({
    level,
    ...(options.worker !== undefined && { worker: options.worker }),
  });
  await text(await ask(socket, 'POST', `/log-level?${query.toString()}`));
  out.write(`The log level is ${level} until the next reload.\n`);
}
