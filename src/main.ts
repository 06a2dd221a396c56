// This import is the first, so that no SIGHUP ends a program that is loading the others.
import './hang-up.js';
// This import is the next, so that it sees which build this is before any other module is loaded.
import { assertOneBuild } from './one-build.js';
import cluster from 'node:cluster';
import { obeyOnlyThePrimary } from './cluster/primary-bond.js';
import { readAssignment } from './cluster/worker-assignment.js';
import { type Config, ConfigError, readConfig } from './config.js';
import { listeningProblem, listensUnseen, watchListening } from './foreign/app-listening.js';
import type { AppSource } from './foreign/foreign-app.js';
import type { ServedRequest } from './foreign/listener.js';
import type { ServeOptions } from './foreign/start-app.js';
import type { ServiceSource } from './http/define-service.js';
import type { Start } from './http/start-service.js';
import { readSettings } from './settings.js';

export { defineService } from './http/define-service.js';
export { durableCounter } from './metrics/durable-counter.js';
export { notImplemented } from './http/not-implemented.js';
export { Problem } from './http/problem.js';
export type { Service, ServiceDefinition, StartTools } from './http/define-service.js';
export type { DurableCounter, DurableCounterOptions } from './metrics/durable-counter.js';
export type { Handler, ServiceContext } from './http/handler.js';
export type { AppSource } from './foreign/foreign-app.js';
export type { ServeOptions } from './foreign/start-app.js';

/** EX_CONFIG of sysexits.h: a restart would not help. */
const BAD_CONFIGURATION = 78;

const LISTENS_UNSEEN =
  'This program has begun to listen before it is served: if that is on the port of the service, no worker can. Remove the call of "listen".';

const listening = watchListening();

/**
 * Runs a service, or one that a function loads, with one worker per core. The program that calls it is
 * also the program of the workers: each runs it again from the start. In another cluster, such as
 * PM2's, it runs one instance.
 */
export function run(source: ServiceSource): Promise<void> {
  return launch(async (host) => {
    const { startService } = await import('./http/start-service.js');
    return startService(typeof source === 'function' ? await source() : source, host);
  });
}

/**
 * Runs an app without a description: a Koa app, any request listener, or a function that makes one from the
 * result of `start`. Everything else is as in `run`.
 */
export function serve<Started = undefined, Request = ServedRequest>(
  app: AppSource<Started>,
  options: ServeOptions<Started, Request> = {},
): Promise<void> {
  const start: Start = async (host) =>
    (await import('./foreign/start-app.js')).startApp(app, options, host, listening);
  // Without a description there is nothing to document.
  return launch(start, { docs: false });
}

/**
 * Reads an API description, and checks that these handlers can serve it. Throws ContractError, which
 * names file, place and cause.
 */
export const loadContract: typeof import('./http/routing/contract.js').loadContract = (options) => {
  // The module is loaded late: a primary does not need it.
  const contract: typeof import('./http/routing/contract.js') = require('./http/routing/contract.js');
  return contract.loadContract(options);
};

async function launch(start: Start, fixed: Partial<Config> = {}): Promise<void> {
  // A SIGHUP that comes from here on does not end the service either, until it can reload.
  process.on('SIGHUP', () => {});
  // Each process loads its own half: a primary without an HTTP stack is up in half the time and the memory.
  const assignment = cluster.isPrimary ? undefined : readAssignment(process.env);
  if (assignment) {
    // The primary has read all files for it.
    const config = { ...orExit(() => readConfig(process.env)), ...fixed };
    obeyOnlyThePrimary(assignment.primary);
    const { runWorker } = await import('./cluster/worker.js');
    await runWorker(start, config, assignment);
    return;
  }
  const read = orExit(() => readSettings(process.env));
  const settings = { ...read, config: { ...read.config, ...fixed } };
  if (cluster.isPrimary) {
    // The primary would hold the port, and no worker could listen.
    const problem = listeningProblem(listening, settings.config);
    if (problem !== undefined) return exit(problem, 1);
    if (listensUnseen(listening)) process.emitWarning(LISTENS_UNSEEN);
    const { runPrimary } = await import('./cluster/primary.js');
    assertOneBuild();
    await runPrimary(settings);
    return;
  }
  Object.assign(process.env, settings.variables);
  await (await import('./pm2/instance.js')).runInstance(start, settings);
}

function orExit<T>(read: () => T): T {
  try {
    return read();
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err;
    return exit(err.message, BAD_CONFIGURATION);
  }
}

function exit(problem: string, code: number): never {
  process.stderr.write(`${problem}\n`);
  // Setting the exit code alone would not do: PM2's channel would keep this process alive.
  return process.exit(code);
}

if (require.main === module) {
  void run(async () => (await import('./service.js')).service);
}
