import { pipeline } from 'node:stream/promises';
import type { CommandInput } from './command.js';
import { CommandError } from './command-error.js';
import { ask } from './control-client.js';
import { findControlSocket } from './find-service.js';

const DEFAULT_SECONDS = '10';

/** Writes a CPU profile of a worker to stdout, for the "Performance" panel of Chromium's developer tools. */
export function profile(input: CommandInput): Promise<void> {
  const { seconds = DEFAULT_SECONDS } = input.options;
  return inspect(input, '/profile', { seconds }, 'x.cpuprofile');
}

/** Writes a snapshot of a worker's heap to stdout, for the "Memory" panel. */
export function heap(input: CommandInput): Promise<void> {
  return inspect(input, '/heap', {}, 'x.heapsnapshot');
}

async function inspect(
  { words: [worker], options, env, out }: CommandInput,
  path: string,
  query: Record<string, string>,
  file: string,
): Promise<void> {
  if (worker === undefined)
    throw new CommandError('Say of which worker; `koa-cluster-metrics status` shows them.');
  if (out.isTTY) throw new CommandError(`It is long and not for reading: append "> ${file}".`);
  const socket = await findControlSocket(options.port, env);
  const answer = await ask(socket, 'POST', `${path}?${new URLSearchParams({ ...query, worker }).toString()}`);
  await pipeline(answer, out);
}
