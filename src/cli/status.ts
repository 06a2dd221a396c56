import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceStatus } from '../cluster/control/service-status.js';
import { watchInstances } from '../metrics/service-folder/instances.js';
import { CommandError } from './command-error.js';
import type { CommandInput } from './command.js';
import { ask } from './control-client.js';
import { findService, type FoundService } from './find-service.js';
import { statusTable } from './status-table.js';

const REDRAW_MS = 1_000;
const HOME_AND_CLEAR = '\x1b[H\x1b[J';

/** Shows the service and its workers: once, as JSON, or again every second until it is ended. */
export async function status({ options, env, out }: CommandInput): Promise<void> {
  const service = await findService(options.port, env);
  const { socket } = service;
  const look = socket === undefined ? lookAtInstances(service) : () => lookAtService(socket);
  if (options.json) return write(JSON.stringify((await look()).workers, undefined, 2));
  const coloured = out.isTTY && !env['NO_COLOR'];
  write(statusTable(await look(), coloured), options.watch);
  while (options.watch) {
    await delay(REDRAW_MS);
    write(statusTable(await look(), coloured), true);
  }

  function write(text: string, again = false): void {
    out.write(`${again && out.isTTY ? HOME_AND_CLEAR : ''}${text}\n`);
  }
}

async function lookAtService(socket: string): Promise<ServiceStatus> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the service answers at its own socket
  return (await json(await ask(socket, 'GET', '/status'))) as ServiceStatus;
}

/**
 * Makes a function that looks at a service in PM2's cluster mode, where its instances are all that can be
 * asked.
 */
function lookAtInstances({ pid, listen, folder }: FoundService): () => Promise<ServiceStatus> {
  const watch = watchInstances(folder);
  const url = `${listen.startsWith('unix:') ? '' : 'port '}${listen}, PM2's cluster mode`;
  return async () => {
    const workers = await watch();
    if (workers.length === 0) throw new CommandError('The service has ended.');
    const uptimeSeconds = Math.max(...workers.map(({ ageSeconds }) => ageSeconds));
    return { pid, url, listen, uptimeSeconds, wanted: workers.length, workers };
  };
}
