// First, so that nothing is loaded before it has seen which build this is.
import { assertOneBuild } from './one-build.js';
import cluster from 'node:cluster';
import { obeyOnlyThePrimary } from './cluster/primary-bond.js';
import { readAssignment } from './cluster/worker-assignment.js';
import { type Config, ConfigError } from './config.js';
import type { AppSource } from './foreign/foreign-app.js';
import type { ServeOptions } from './foreign/start-app.js';
import type { ServiceSource } from './http/define-service.js';
import type { Start } from './http/start-service.js';
import { readSettings } from './settings.js';

export { defineService } from './http/define-service.js';
export { notImplemented } from './http/not-implemented.js';
export { Problem } from './http/problem.js';
export type { Service, ServiceDefinition } from './http/define-service.js';
export type { Handler, ServiceContext } from './http/handler.js';
export type { AppSource } from './foreign/foreign-app.js';
export type { ServeOptions } from './foreign/start-app.js';
export type { ServiceOperation } from './http/own-operations/service-operations.js';

/** EX_CONFIG of sysexits.h: a restart would not help. */
const BAD_CONFIGURATION = 78;

/**
 * Runs a service, or what a function loads, with one worker per core. The program that calls it is also the
 * program of the workers: each runs it again from the start. In a cluster that is not ours, such as PM2's, it is one instance.
 */
export function run(source: ServiceSource): Promise<void> {
  return launch(async (host) => {
    const { startService } = await import('./http/start-service.js');
    return startService(typeof source === 'function' ? await source() : source, host);
  });
}

/**
 * Runs an app that has no description: Koa's, any request listener, or what a function makes of what `start` gave. Otherwise it is
 * as `run`.
 */
export function serve<Started = undefined>(
  app: AppSource<Started>,
  options: ServeOptions<Started> = {},
): Promise<void> {
  const start: Start = async (host) => (await import('./foreign/start-app.js')).startApp(app, options, host);
  // There is no description that could be documented.
  return launch(start, { docs: false });
}

/** Reads an API description, and checks that these handlers can serve it. Throws ContractError, which names file, place and cause. */
export const loadContract: typeof import('./http/routing/contract.js').loadContract = (options) => {
  // A primary has no use for it.
  const contract = require('./http/routing/contract.js') as typeof import('./http/routing/contract.js'); // this very module
  return contract.loadContract(options);
};

async function launch(start: Start, fixed: Partial<Config> = {}): Promise<void> {
  // Before anything else is loaded: a SIGHUP that comes before there is anything to reload would end the service.
  process.on('SIGHUP', () => {});
  const { config: read, variables } = configuration();
  const config = { ...read, ...fixed };
  // Each process loads its own half: a primary without an HTTP stack is up in half the time and the memory.
  if (cluster.isPrimary) {
    const { runPrimary } = await import('./cluster/primary.js');
    assertOneBuild();
    await runPrimary({ config, variables });
    return;
  }
  const assignment = readAssignment(process.env);
  if (assignment) {
    obeyOnlyThePrimary(assignment.primary);
    const { runWorker } = await import('./cluster/worker.js');
    await runWorker(start, config, assignment);
    return;
  }
  Object.assign(process.env, variables);
  const { runInstance } = await import('./pm2/instance.js');
  await runInstance(start, config);
}

function configuration() {
  try {
    return readSettings(process.env);
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err;
    process.stderr.write(`${err.message}\n`);
    // Not only the exit code: under PM2 a channel is open, which would keep this process alive.
    return process.exit(BAD_CONFIGURATION);
  }
}

if (require.main === module) {
  void run(async () => (await import('./service.js')).service);
}
