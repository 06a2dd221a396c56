import { setMaxListeners } from 'node:events';
import type { RequestListener } from 'node:http';
import type Koa from 'koa';
import type { Config } from '../config.js';
import type { Logger } from '../log.js';
import type { Format } from '../metrics/exposition/gatherer.js';
import type { RequestMetrics } from '../metrics/request-metrics.js';
import type { DrainOptions, Server } from '../server/http-server.js';
import { createApp } from './app.js';
import { loadContract } from './routing/contract.js';
import { checkService, type Service, ServiceError } from './define-service.js';
import { type Findings, readiness } from './own-operations/readiness.js';

/** The share of a drain's time that is kept for `stop`. */
const STOP_SHARE = 1 / 8;

/**
 * The share of a worker's time to get ready that `start` has. It says that it took too long before the
 * worker is killed, which says nothing.
 */
const START_SHARE = 7 / 8;

/** The process in which a service is started. */
export interface Host {
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: RequestMetrics;
  /** The path of the folder that this process shares with the others of the service, if there is one. */
  readonly folder?: string | undefined;
  /** Makes the whole exposition. */
  readonly gather: (format: Format) => Promise<Buffer>;
  /** Gives the workers, or instances, as JSON. Without it there is no status page. */
  readonly workers?: () => Promise<Buffer>;
  /** Tells whether this process accepts work. */
  readonly accepting: () => boolean;
  /** Resolves when this process may start the resources; `undefined` where it need not wait. */
  readonly turn?: Promise<void> | undefined;
}

/** The app, and the listener for a server of any kind. */
export interface Served {
  readonly app: Koa;
  readonly listener: RequestListener;
}

/** A service that runs in this process. */
export interface StartedService extends Served {
  /**
   * Tells handlers that this process drains, drains its server, and ends the service's resources, all
   * within the timeout. Never rejects.
   */
  end(server: Server, options: DrainOptions): Promise<void>;
  /** Ends the service's resources, where there is no server of ours to drain. Never rejects. */
  stop(timeoutMs: number): Promise<void>;
}

/** Starts a service or an app in a process. Throws an error that says why it can't. */
export type Start = (host: Host) => Promise<StartedService>;

/** The resources, drain signal and checks that an app is made with. */
export interface Made {
  readonly provided: { readonly resources: unknown; readonly draining: AbortSignal };
  readonly readiness: () => Promise<Findings>;
}

/**
 * Starts a service in this process: its resources first, then its app.
 * Throws ServiceError or ContractError, whose message is for the person who wrote the service.
 */
export function startService(service: Service, host: Host): Promise<StartedService> {
  checkService(service);
  const contract = loadContract(service);
  return startWith(service, host, (made) =>
    served(
      createApp({
        ...host,
        ...made,
        contract,
        middleware: service.middleware ?? [],
        afterRouting: service.afterRouting ?? [],
        security: service.security ?? {},
      }),
    ),
  );
}

/** Makes the listener of an app. */
export function served(app: Koa): Served {
  const handle = app.callback();
  return { app, listener: (req, res) => void handle(req, res) };
}

/**
 * Starts the resources of an app, and makes the app. The result can end both. Throws
 * ServiceError where `start` fails.
 */
export async function startWith(
  service: Pick<Service, 'start' | 'ready' | 'stop'>,
  host: Host,
  make: (made: Made) => Served | Promise<Served>,
): Promise<StartedService> {
  const { log, turn } = host;
  await turn;
  const draining = new AbortController();
  setMaxListeners(0, draining.signal);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only the same service gets them
  const resources = (await startResources(service, host)) as never;
  const checks = Object.entries(service.ready ?? {}).map(
    ([name, check]) => [name, () => check(resources)] as const,
  );
  const made = await make({
    readiness: readiness(Object.fromEntries(checks), log),
    provided: { resources, draining: draining.signal },
  });
  const stop = async (timeoutMs: number): Promise<void> => {
    draining.abort();
    await within(timeoutMs, () => service.stop?.(resources)).catch((err: unknown) =>
      log.error({ err }, '"stop" of the service failed'),
    );
  };
  return {
    ...made,
    stop,
    end: async (server, options) => {
      draining.abort();
      const end = performance.now() + options.timeoutMs;
      // Part of the time is kept for `stop`: slow last answers would use up all of it.
      const drainMs = service.stop ? options.timeoutMs * (1 - STOP_SHARE) : options.timeoutMs;
      await server.drain({ ...options, timeoutMs: drainMs });
      await stop(Math.max(end - performance.now(), options.timeoutMs * STOP_SHARE));
    },
  };
}

async function startResources({ start }: Pick<Service, 'start'>, { config, log }: Host): Promise<unknown> {
  if (!start) return undefined;
  try {
    return await within(config.workerTimeoutMs * START_SHARE, () => start({ config, log }));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ServiceError(`"start" of the service failed: ${reason}`, { cause });
  }
}

async function within(timeoutMs: number, act: () => unknown): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`it took longer than ${Math.round(timeoutMs)} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([(async () => act())(), late]);
  } finally {
    clearTimeout(timer);
  }
}
