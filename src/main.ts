import cluster from 'node:cluster';
import { join } from 'node:path';
import type { Service } from './cluster/worker.js';
import { readPlace } from './cluster/worker-place.js';
import { ConfigError, readConfig } from './config.js';
import { handlers } from './http/generated/handlers.js';

/** EX_CONFIG of sysexits.h: a restart would not help. */
const BAD_CONFIGURATION = 78;

/**
 * Runs a service, described by an OpenAPI document, with one worker per core. The program that calls it is also the
 * program of the workers: each runs it again from the start.
 */
export async function run(service: Service): Promise<void> {
  const config = configuration();
  if (!config) return;
  // Each process loads its own half: a primary without an HTTP stack is up in half the time and the memory.
  if (cluster.isPrimary) {
    const { runPrimary } = await import('./cluster/primary.js');
    await runPrimary(config);
    return;
  }
  const place = readPlace(process.env);
  if (place) {
    const { runWorker } = await import('./cluster/worker.js');
    await runWorker(service, config, place);
  }
}

function configuration() {
  try {
    return readConfig(process.env);
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err;
    process.stderr.write(`${err.message}\n`);
    process.exitCode = BAD_CONFIGURATION;
    return undefined;
  }
}

if (require.main === module) {
  void run({ description: join(__dirname, '../swagger/swagger.yaml'), handlers });
}
