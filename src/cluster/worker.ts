import { url as inspectorUrl } from 'node:inspector';
import { collectDefaultMetrics, register, Registry } from 'prom-client';
import type { Config } from '../config.js';
import type { KeyPair } from '../key-pair.js';
import type { Start, StartedService } from '../http/start-service.js';
import { isConnectionHandle } from '../server/connection-handle.js';
import { type DrainOptions, Server } from '../server/http-server.js';
import { type Log, type Logger, openLog } from '../log.js';
import { keepDurableCounters } from '../metrics/durable-counter.js';
import { Ledger } from '../metrics/ledger/ledger.js';
import { RequestsInFlight } from '../metrics/ledger/requests-in-flight.js';
import { RequestMetrics } from '../metrics/request-metrics.js';
import { reportPath, reportText, writeReport } from '../metrics/service-folder/process-report.js';
import { messageOf } from '../thrown.js';
import { assertOneBuild } from '../one-build.js';
import { snapshotText } from '../metrics/snapshot/take-snapshot.js';
import {
  registerLedgerErrors,
  registerRequestsInProgress,
  registerRequestsShed,
} from '../metrics/metric-catalogue.js';
import { bootProblem } from '../server/boot-problem.js';
import { sendConnection } from './connection-channel.js';
import { RemoteGatherer } from './exposition-relay.js';
import { carryOut } from './control/carry-out.js';
import { parsePrimaryMessage, type PrimaryMessage, type WorkerMessage } from './messages.js';
import type { WorkerAssignment } from './worker-assignment.js';
import { WorkerWatch } from './control/worker-watch.js';
import { watchWear } from './supervision/worker-wear.js';

/**
 * Milliseconds that the final snapshot may take, and then that it may stay unacknowledged: neither a metric
 * that never comes nor a stuck primary must keep a worker alive.
 */
const GOODBYE_MS = 1_000;

/** Milliseconds that a debugger may hold a worker. */
const BREAKPOINT_MS = 24 * 3_600_000;

/** Milliseconds that a snapshot of a large heap may take. */
const SNAPSHOT_MS = 600_000;

/** Runs a worker: boots, listens, tells the primary that it is ready, answers, drains, says goodbye. */
export async function runWorker(start: Start, config: Config, assignment: WorkerAssignment): Promise<void> {
  const { log, ...lines } = openLog(config.logLevel);
  const worker = new Worker(config, assignment, log.child({ worker: assignment.generation }), lines);
  try {
    await worker.boot(start);
  } catch (err) {
    worker.failBoot(err);
  }
}

type Lines = Omit<Log, 'log'>;

class Worker {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #lines: Lines;
  #linesLostSaid = 0;
  readonly #ledger: Ledger;
  readonly #folder: string;
  readonly #reportPath: string;
  readonly #metrics: RequestMetrics;
  /** The service's own metrics. An app may clear the default registry, or take their names there. */
  readonly #own = new Registry();
  readonly #gatherer = new RemoteGatherer(send);
  readonly #watch: WorkerWatch;
  readonly #wear: ReturnType<typeof watchWear>;
  readonly #turn: Promise<void> | undefined;
  #begin: () => void = () => {};
  #takeKeyPair: (pair: KeyPair) => void = () => {};
  #service: StartedService | undefined;
  #server: Server | undefined;
  #booted = false;
  /** Whether the service stops. */
  #stops = false;
  #draining = false;

  constructor(config: Config, { folder, id, waits }: WorkerAssignment, log: Logger, lines: Lines) {
    this.#config = config;
    if (waits) this.#turn = new Promise((resolve) => (this.#begin = resolve));
    this.#log = log;
    this.#lines = lines;
    this.#folder = folder;
    this.#reportPath = reportPath(folder, id);
    const buckets = config.metricsBuckets;
    this.#ledger = Ledger.open({
      folder,
      generation: id,
      buckets,
      onError: (err: NodeJS.ErrnoException) => {
        send({ type: 'ledger-failed' });
        // The primary has already warned if there is no folder.
        log[err.code === 'ENOENT' ? 'debug' : 'warn'](
          { err, folder },
          'Request counts stay in memory: a killed worker would lose them',
        );
      },
    });
    this.#ledger.watch();
    keepDurableCounters(register, this.#ledger);
    this.#metrics = new RequestMetrics(buckets, this.#ledger, RequestsInFlight.open(folder, id));
    this.#watch = new WorkerWatch(this.#metrics, this.#beat);
    this.#wear = watchWear(config, () => this.#metrics.answered().reduce((sum, count) => sum + count, 0));
  }

  async boot(start: Start): Promise<void> {
    process.on('uncaughtException', (err) => this.#fail(err));
    process.on('message', (value, handle: unknown) => {
      const message = parsePrimaryMessage(value);
      if (isConnectionHandle(handle)) this.#server?.adopt(handle);
      else if (message) this.#obey(message);
    });
    const config = this.#config;
    if (this.#turn) send({ type: 'waiting' });
    this.#registerMetrics();
    this.#service = await start({
      config,
      log: this.#log,
      metrics: this.#metrics,
      folder: this.#folder,
      gather: (format) => this.#gatherer.gather(format),
      workers: () => this.#gatherer.gather('workers'),
      accepting: () => this.#booted && !this.#stops,
      turn: this.#turn,
    });
    send({ type: 'foreseen', series: this.#metrics.foreseen });
    this.#server = new Server(this.#service.listener, this.#metrics, config, await this.#keyPair());
    assertOneBuild();
    const { address, port } = await this.#server.listen(config);
    this.#booted = true;
    send({ type: 'ready', address, port });
    setInterval(this.#beat, Math.min(config.workerTimeoutMs / 4, 1_000));
  }

  /** Asks the primary: the files may have changed since it has read them. */
  async #keyPair(): Promise<KeyPair | undefined> {
    if (this.#config.tlsCert === undefined) return undefined;
    return new Promise((resolve) => {
      this.#takeKeyPair = resolve;
      send({ type: 'key-pair-wanted' });
    });
  }

  /** Tells the primary why the boot failed, and exits. */
  failBoot(err: unknown): void {
    send({ type: 'boot-failed', message: bootProblem(err, this.#config) }, () => process.exit(1));
  }

  #registerMetrics(): void {
    const prefix = this.#config.metricsPrefix;
    const own = this.#own;
    collectDefaultMetrics({ register: own });
    registerRequestsInProgress(own, prefix, () => this.#metrics.inProgress);
    registerRequestsShed(own, prefix, () => this.#metrics.shed);
    registerLedgerErrors(own, prefix, () => this.#ledger.errors);
  }

  /**
   * Has this worker replaced after an exception that nobody caught. Node's advice is to exit, because the
   * code that threw may have left anything half done. But an exit cuts off every other request in flight, so
   * that one bad request a second would fail many good ones. Requests share little in this process, and it is
   * to be replaced at once: so it goes on until its replacement is ready, and then drains. Further exceptions
   * during the drain do not end it: that would cut off the requests that the drain waits for.
   */
  #fail(err: unknown): void {
    if (this.#draining) return this.#log.fatal({ err }, 'An exception that nobody caught, while draining');
    this.#log.fatal({ err }, 'An exception that nobody caught: this worker is going to be replaced');
    if (this.#booted) send({ type: 'failing', message: messageOf(err).slice(0, 1_000) });
    else this.failBoot(err);
  }

  #obey(message: PrimaryMessage): void {
    switch (message.type) {
      case 'collect':
        return void this.#snapshot().then((snapshot) => send({ type: 'snapshot', id: message.id, snapshot }));
      case 'exposition':
      case 'exposition-failed':
        return this.#gatherer.receive(message);
      case 'unready':
        this.#stops = true;
        // A worker that has begun to listen may have taken connections, and drains when it is ready.
        if (!this.#server) process.exit(0);
        return;
      case 'begin':
        return this.#begin();
      case 'drain': {
        const { graceMs, timeoutMs, handOver } = message;
        return void this.#drain({
          graceMs,
          timeoutMs,
          ...(handOver && { handOver: (connection) => sendConnection(process, 'hand-over', connection) }),
        });
      }
      case 'key-pair':
        return this.#takeKeyPair(message);
      case 'watched':
        return this.#watch.watched();
      case 'log-level':
        this.#log.level = message.level;
        return;
      case 'profile':
      case 'heap':
        return void carryOut(message, this.#log, () => send({ type: 'busy', ms: SNAPSHOT_MS }));
      case 'adopt':
        return; // The client has closed the connection on the way.
      case 'goodbye-ack':
        process.exit(0);
    }
  }

  readonly #beat = (): void => {
    const limit = this.#wear?.();
    if (limit) send({ type: 'worn', limit });
    const vitals = this.#watch.read();
    send({ type: 'heartbeat', ...(vitals && { vitals }) });
    // A worker that a debugger holds at a breakpoint would be killed as hung.
    if (inspectorUrl() !== undefined) send({ type: 'busy', ms: BREAKPOINT_MS });
    this.#sayLinesLost();
  };

  #sayLinesLost(): void {
    const lines = this.#lines.linesLost() - this.#linesLostSaid;
    if (lines > 0) send({ type: 'lines-lost', lines });
    this.#linesLostSaid += lines;
  }

  /**
   * Makes a snapshot, and writes it to a file first: values that were once exposed survive when
   * primary and workers are killed.
   */
  async #snapshot(): Promise<string> {
    const snapshot = await snapshotText(register, this.#ledger.memoryOnly(), this.#own);
    try {
      writeReport(this.#reportPath, reportText({ state: 'ready', slot: 0, birth: 0 }, snapshot));
    } catch {
      // The ledger in the same folder reports what is wrong with it.
    }
    return snapshot;
  }

  async #drain(options: DrainOptions): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    if (this.#server) await this.#service?.end(this.#server, options);
    const patience = setTimeout(() => process.exit(0), GOODBYE_MS);
    const snapshot = await this.#snapshot();
    patience.refresh();
    this.#lines.giveUp();
    this.#sayLinesLost();
    send({ type: 'goodbye', snapshot });
  }
}

/** Sends a message to the primary. If the primary is gone, `disconnect` ends this process. */
function send(message: WorkerMessage, sent: () => void = () => {}): void {
  if (process.connected) process.send?.(message, undefined, {}, sent);
}
