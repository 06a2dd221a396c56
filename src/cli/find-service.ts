import { json } from 'node:stream/consumers';
import { controlSocketPath } from '../cluster/control/control-socket.js';
import type { ServiceIdentity } from '../cluster/control/service-status.js';
import { readConfig } from '../config.js';
import { withEnvFile } from '../settings.js';
import { findInstance } from '../metrics/service-folder/instances.js';
import { type FoundFolder, serviceFolders } from '../metrics/service-folder/leftovers.js';
import { CommandError } from './command-error.js';
import { ask } from './control-client.js';

/** A running service. */
export interface FoundService extends ServiceIdentity {
  readonly folder: string;
  /** The socket of its primary; undefined in PM2's cluster mode, where none is ours. */
  readonly socket: string | undefined;
}

/**
 * Finds the control socket of a service, as `findService`.
 * @throws CommandError also for a service in PM2's cluster mode
 */
export async function findControlSocket(port: string | undefined, env: Env): Promise<string> {
  const { socket } = await findService(port, env);
  if (socket === undefined) throw new CommandError(ONLY_STATUS);
  return socket;
}

const ONLY_STATUS =
  "This service runs in PM2's cluster mode, in which only `status` works: `pm2 reload` replaces its instances. In fork mode (ecosystem.config.js) all commands do.";

/** Milliseconds that a primary may take to say who it is. */
const PATIENCE_MS = 2_000;

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Finds the service of this user that listens on `port`, which may be HOST:PORT; without a port, the only one
 * that runs. Root sees the services of all users.
 * @param given the environment with the service's own `LISTEN`, `PORT` and `LEDGER_DIR`, or its `ENV_FILE`
 * @throws CommandError if there is none, or more than one
 */
export async function findService(port: string | undefined, given: Env): Promise<FoundService> {
  const env = withEnvFile(given);
  const wanted = port ?? (env['LISTEN'] || env['PORT'] || undefined);
  const me = process.geteuid?.() ?? 0;
  const folders = serviceFolders(readConfig(env).ledgerDir);
  const mine = folders.filter(({ user }) => me === 0 || user === me);
  const answers = await Promise.all(mine.map(({ path }) => identify(path)));
  const running = answers.flatMap((service) => (service && service !== 'silent' ? service : []));
  const matching = running.filter(
    (service) => wanted === undefined || wanted === service.listen || wanted === placeOf(service),
  );
  const atHost = matching.filter(({ host }) => host === (env['HOST'] || undefined));
  const [found, other] = port === undefined && matching.length > 1 && atHost.length > 0 ? atHost : matching;
  if (found && !other) return found;
  if (other)
    throw new CommandError(`Several services run here: ${listed(matching)}. Say which one by --port.`);
  const silent = mine.filter((_, i) => answers[i] === 'silent').map(({ path }) => path);
  if (silent.length > 0) throw new CommandError(`The service of ${silent.join(', ')} does not answer.`);
  throw new CommandError(
    running.length > 0
      ? `No service listens on ${wanted}; there is ${listed(running)}.`
      : whyNone(folders.filter((folder) => !mine.includes(folder))),
  );
}

/**
 * Asks a service for its identity; undefined if nobody listens, because it was killed and its folder is left
 * over; `silent` if it hangs, or is stopped.
 */
async function identify(folder: string): Promise<FoundService | 'silent' | undefined> {
  const socket = controlSocketPath(folder);
  const patience = AbortSignal.timeout(PATIENCE_MS);
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only the service can listen there
    const identity = (await json(await ask(socket, 'GET', '/service', patience))) as ServiceIdentity;
    return { ...identity, folder, socket };
  } catch {
    if (patience.aborted) return 'silent';
    const { listen, primary: pid } = (await findInstance(folder)) ?? {};
    return listen === undefined || pid === undefined
      ? undefined
      : { pid, listen, url: undefined, folder, socket: undefined };
  }
}

function listed(services: readonly ServiceIdentity[]): string {
  return services.map((service) => `${placeOf(service)} (pid ${service.pid})`).join(', ');
}

/** Tells services of one port apart by their host. */
function placeOf({ host, listen }: ServiceIdentity): string {
  return host === undefined || listen.includes(':') ? listen : `${host}:${listen}`;
}

function whyNone(others: readonly FoundFolder[]): string {
  const [other] = others;
  return other
    ? `No service of yours runs here. That of ${other.path} is of the user with id ${other.user}: run this as that user or as root.`
    : 'No service runs here. Where it has a LEDGER_DIR, this command needs the same.';
}
