import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { collectDefaultMetrics, register, Registry } from 'prom-client';
import { type Config, placeOf } from '../config.js';
import type { KeyPair } from '../key-pair.js';
import type { Settings } from '../settings.js';
import { createMetricsListener } from '../http/own-operations/metrics-route.js';
import type { Host, Start, StartedService } from '../http/start-service.js';
import { Server } from '../server/http-server.js';
import { type Log, type Logger, openLogOn } from '../log.js';
import { keepDurableCounters } from '../metrics/durable-counter.js';
import { Ledger } from '../metrics/ledger/ledger.js';
import { processGatherer } from '../metrics/exposition/process-gatherer.js';
import { assertOneBuild } from '../one-build.js';
import { RequestMetrics } from '../metrics/request-metrics.js';
import { snapshotText } from '../metrics/snapshot/take-snapshot.js';
import {
  REDEFINED,
  registerLedgerErrors,
  registerLogLinesLost,
  registerRequestsInProgress,
  registerRequestsShed,
} from '../metrics/metric-catalogue.js';
import { bootProblem } from '../server/boot-problem.js';
import { MetricsServer } from '../server/metrics-server.js';
import { watchInstances } from '../metrics/service-folder/instances.js';
import { removeLeftovers } from '../metrics/service-folder/leftovers.js';
import { ServiceFolder } from '../metrics/service-folder/service-folder.js';
import { SAME_SIGNAL_MS } from '../stop-signals.js';
import { Siblings } from './siblings.js';
import { wantedInstances } from './wanted-instances.js';

/**
 * Milliseconds that an idle connection may stay while this instance drains, so that a
 * request on its way is answered.
 */
const GRACE_MS = 2_000;

/** Milliseconds that PM2 has for the answer after which no connection comes any more. */
const RETURN_MS = 1_000;

/**
 * Runs one instance of the service in PM2's cluster mode, where PM2 is the primary. It serves requests, and
 * answers /metrics for all instances of the app.
 */
export async function runInstance(start: Start, settings: Settings): Promise<void> {
  const { config } = settings;
  // PM2 takes the log from process.stdout.
  const opened = openLogOn(process.stdout, config.logLevel);
  const log = opened.log.child({ instance: slot() });
  const instance = new Instance(settings, { ...opened, log });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => instance.stop());
  // By default SIGHUP would end all instances at once, with their requests in flight.
  process.on('SIGHUP', () =>
    log.warn('SIGHUP is ignored: in cluster mode `pm2 reload` replaces the instances'),
  );
  process.on('message', (message) => {
    if (message === 'shutdown') instance.stop();
  });
  process.on('uncaughtException', (err) => instance.fail(err));
  try {
    await instance.start(start);
  } catch (err) {
    process.stderr.write(`${bootProblem(err, config)}\n`);
    process.exit(1);
  }
}

/** The documents about all instances. */
type Documents = Required<Pick<Host, 'gather' | 'workers'>>;

/** Returns the number of this instance, from 1; PM2 counts from 0. */
function slot(): number {
  return Number(process.env['NODE_APP_INSTANCE'] ?? 0) + 1;
}

class Instance {
  readonly #config: Config;
  readonly #keyPair: KeyPair | undefined;
  readonly #log: Logger;
  readonly #linesLost: () => number;
  /** The path of the folder in which the instances meet; empty if there is none. */
  #folder = '';
  /** The service's own metrics. An app may clear the default registry, or take their names there. */
  readonly #own = new Registry();
  #ledger: Ledger | undefined;
  #metrics: RequestMetrics | undefined;
  #siblings: Siblings | undefined;
  #service: StartedService | undefined;
  #server: Server | undefined;
  #metricsServer: MetricsServer | undefined;
  #stopping = false;
  /** The time of the first signal, which comes after an exception that nobody caught, too. */
  #signalledAt: number | undefined;

  constructor({ config, keyPair }: Settings, { log, linesLost }: Log) {
    this.#config = config;
    this.#keyPair = keyPair;
    this.#log = log;
    this.#linesLost = linesLost;
  }

  /** Starts the instance. Resolves when it serves. Rejects if it cannot. */
  async start(start: Start): Promise<void> {
    const metrics = await this.#count();
    const gatherer =
      this.#siblings ?? processGatherer(this.#config.metricsPrefix, metrics, register, this.#own);
    const watch = watchInstances(this.#folder);
    const documents: Documents = {
      gather: async (format) => (await gatherer.gather(format)).bytes,
      workers: async () => Buffer.from(JSON.stringify(await watch())),
    };
    this.#service = await start({
      config: this.#config,
      log: this.#log,
      metrics,
      folder: this.#folder,
      ...documents,
      accepting: () => !this.#stopping,
    });
    this.#server = new Server(this.#service.listener, metrics, this.#config, this.#keyPair);
    this.#siblings?.foresee(metrics.foreseen);
    await this.#serveMetrics(documents);
    assertOneBuild();
    await this.#server.listen(this.#config);
    await this.#siblings?.own.announce('ready');
    this.#log.info({ listen: placeOf(this.#config) }, 'Ready');
    removeLeftovers(this.#config.ledgerDir).catch((err: unknown) =>
      this.#log.debug({ err }, 'Leftovers stay'),
    );
    process.send?.('ready');
    void this.#siblings?.takeOver();
  }

  /**
   * Finishes the requests in flight, leaves the counts to the other instances, and exits.
   * A second call exits at once, unless it is the first one again.
   */
  stop(): void {
    const now = performance.now();
    if (this.#signalledAt === undefined) {
      this.#signalledAt = now;
      this.#log.info('Stopping: finishing what is in flight; a second signal ends at once');
      if (!this.#stopping) void this.#drain('drained', 0);
    } else if (now - this.#signalledAt > SAME_SIGNAL_MS) {
      this.#log.warn('Ended by a second signal; requests in flight are cut off');
      process.exit(1);
    }
  }

  /**
   * Ends this instance after an exception that nobody caught. It finishes the requests in flight; PM2 starts
   * another instance when this one has ended.
   */
  fail(err: Error): void {
    this.#log.fatal({ err }, 'An exception that nobody caught: this instance is going to end');
    if (!this.#stopping) void this.#drain('crashed', 1);
  }

  async #count(): Promise<RequestMetrics> {
    const { metricsPrefix, metricsBuckets } = this.#config;
    const own = this.#own;
    collectDefaultMetrics({ register: own });
    await this.#join();
    const metrics = (this.#metrics = new RequestMetrics(metricsBuckets, this.#ledger));
    registerRequestsInProgress(own, metricsPrefix, () => metrics.inProgress);
    registerRequestsShed(own, metricsPrefix, () => metrics.shed);
    registerLedgerErrors(own, metricsPrefix, () => this.#ledger?.errors ?? 0);
    registerLogLinesLost(own, metricsPrefix, this.#linesLost);
    return metrics;
  }

  /** Joins the other instances. If they cannot meet, each answers for itself. */
  async #join(): Promise<void> {
    const { ledgerDir: base, metricsBuckets: buckets, metricsPrefix, serviceName } = this.#config;
    const place = placeOf(this.#config);
    const { PM2_HOME = '', name = '', pm_exec_path: program = '' } = process.env;
    const known = serviceName === undefined ? [PM2_HOME, name, program, place, metricsPrefix] : [serviceName];
    try {
      const folder = new ServiceFolder({
        base,
        identity: ['pm2', ...known],
        onRefused: (path) =>
          this.#log.warn({ path }, 'The folder is not this user’s alone: the instances meet in another one'),
        onError: (err) => this.#log.debug({ err }, 'No folder for counts'),
      });
      this.#folder = folder.path;
      this.#siblings = await Siblings.join({
        folder,
        config: this.#config,
        slot: slot(),
        listen: place,
        restarts: Number(process.env['restart_time'] ?? 0), // PM2 sets it
        buckets,
        answered: () => this.#metrics?.answered() ?? [],
        snapshot: () => snapshotText(register, this.#ledger?.memoryOnly() ?? [], this.#own),
        onError: (err) => this.#log.warn({ err }, 'The folder of the instances cannot be used'),
        wanted: wantedInstances(process.env),
        onRemoved: () =>
          this.#log.warn(
            'Somebody has removed the folder of counts: it is made anew, with all that is known',
          ),
        onLoss: (message) => this.#log.warn(message),
        onRedefined: (metric) => this.#log.warn({ metric }, REDEFINED),
      });
      this.#ledger = Ledger.open({
        folder: folder.path,
        generation: this.#siblings.own.id,
        buckets,
        onError: (err) =>
          this.#log.warn(
            { err, folder: folder.path },
            'Request counts stay in memory: if killed, it would lose them',
          ),
      });
      this.#ledger.watch();
      keepDurableCounters(register, this.#ledger);
    } catch (err) {
      this.#log.error({ err }, 'The instances cannot meet: each answers /metrics for itself alone');
    }
  }

  async #serveMetrics({ gather, workers }: Documents): Promise<void> {
    const { metricsPort, metricsHost, metricsToken: token, statusPage } = this.#config;
    if (metricsPort === undefined) return;
    const page = statusPage && { workers };
    const listener = createMetricsListener({ gather, token, log: this.#log, ...page });
    this.#metricsServer = new MetricsServer(listener);
    await this.#metricsServer.listen(metricsPort, metricsHost);
  }

  async #drain(exit: 'drained' | 'crashed', code: number): Promise<void> {
    this.#stopping = true;
    const { shutdownDelayMs, shutdownTimeoutMs } = this.#config;
    await this.#siblings?.own.announce('draining');
    await new Promise((resolve) => setTimeout(resolve, shutdownDelayMs));
    await Promise.all([
      this.#server &&
        this.#service?.end(this.#server, {
          timeoutMs: shutdownTimeoutMs - shutdownDelayMs,
          graceMs: GRACE_MS,
        }),
      this.#metricsServer?.close(),
    ]);
    await returnConnections();
    await this.#siblings?.own.leave(exit);
    process.exit(code);
  }
}

/**
 * Waits for the connections that the primary has sent before it knew that this process takes no more.
 * They are refused when they arrive, and go to a sibling; without this the process could be gone by
 * then, and they with it. The primary's messages arrive in order: when it has answered this later
 * question, all of them have arrived.
 */
async function returnConnections(): Promise<void> {
  const question = createServer();
  const answered = new Promise<void>((resolve) => {
    // PM2 may have no file descriptor left for it.
    question.once('error', () => resolve()).listen(0, '127.0.0.1', resolve);
  });
  await Promise.race([answered, delay(RETURN_MS)]);
  question.close();
}
