import { text } from 'node:stream/consumers';
import type { CommandInput } from './command.js';
import { ask } from './control-client.js';
import { findControlSocket } from './find-service.js';

/** Replaces all workers, and waits until that is done. */
export async function reload({ options, env, out }: CommandInput): Promise<void> {
  const socket = await findControlSocket(options.port, env);
  await text(await ask(socket, 'POST', '/reload'));
  out.write('Reloaded: all workers are new.\n');
}
