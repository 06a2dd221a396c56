import cluster from 'node:cluster';
import { constants } from 'node:os';
import { Registry } from 'prom-client';
import { type Config, type LogLevel, placeOf } from '../config.js';
import type { Settings } from '../settings.js';
import type { ConnectionHandle } from '../server/connection-handle.js';
import { LineSink } from '../line-sink.js';
import { SAME_SIGNAL_MS } from '../stop-signals.js';
import { messageOf } from '../thrown.js';
import { openLog, type Log, type Logger } from '../log.js';
import { ClusterRegistry } from '../metrics/exposition/cluster-registry.js';
import type { Exposition } from '../metrics/exposition/gatherer.js';
import { monotonicTime } from '../metrics/exposition/monotonic-time.js';
import { REDEFINED, registerLogLinesLost } from '../metrics/metric-catalogue.js';
import { CountKeeper } from '../metrics/service-folder/count-keeper.js';
import { removeLeftovers } from '../metrics/service-folder/leftovers.js';
import type { ServiceFolder } from '../metrics/service-folder/service-folder.js';
import { type ExitReason, registerWorkerExits, registerWorkers } from '../metrics/supervision-metrics.js';
import { type ClaimedFolder, claimFolder, isClaimed } from './claimed-folder.js';
import { onEndOfNpm } from './npm-parent.js';
import { processorsAllowed } from './supervision/processors.js';
import { findProgram, folderFor, type Program, programIdentity } from './program.js';
import { ControlSocket } from './control/control-socket.js';
import { LiveSettings } from './control/live-settings.js';
import { ServiceManager } from './control/service-manager.js';
import { lookAtWorkers, type ServiceIdentity, type ServiceStatus } from './control/service-status.js';
import type { Wanted, WorkerMessage } from './messages.js';
import { Supervisor, type SupervisorEvent } from './supervision/supervisor.js';
import { type MetricsPort, serveMetrics } from './metrics-port.js';
import { readyLine, url } from './service-url.js';
import { forkWorker } from './worker-channel.js';

type StopSignal = 'SIGINT' | 'SIGTERM';

/**
 * Runs the primary until a signal ends the service: forks the workers, keeps them
 * alive, gathers their metrics.
 */
export async function runPrimary(settings: Settings): Promise<void> {
  const { config } = settings;
  const opened = openLog(config.logLevel);
  const program = findProgram();
  const claimed = await claimFolder(config, programIdentity(program), opened.log);
  const primary = new Primary(settings, opened, program, claimed);
  await primary.start();
}

class Primary {
  /** The configuration at the start; `#settings` has the changes of reloads. */
  readonly #config: Config;
  readonly #log: Logger;
  readonly #giveUpLines: () => void;
  readonly #settings: LiveSettings;
  readonly #folder: ServiceFolder;
  readonly #owner: number;
  readonly #keeper: CountKeeper;
  readonly #registry: ClusterRegistry;
  readonly #supervisor: Supervisor;
  readonly #control: ControlSocket;
  readonly #manager: ServiceManager;
  readonly #program: Program;
  readonly #warning: string | undefined;
  #metrics: MetricsPort | undefined;
  /** The address of the service; undefined before it is ready. */
  #address: { readonly url: string; readonly listen: string } | undefined;
  #workersLinesLost = 0;
  #stepping = false;
  #timer: NodeJS.Timeout | undefined;
  #stoppedAt: number | undefined;

  constructor(settings: Settings, { log, linesLost, giveUp }: Log, program: Program, claimed: ClaimedFolder) {
    const { config } = settings;
    this.#config = config;
    this.#log = log;
    this.#giveUpLines = giveUp;
    this.#manager = new ServiceManager(process.env, log);
    this.#settings = new LiveSettings(settings, log, (changed) => this.#supervisor.configure(changed));
    this.#program = program;
    this.#folder = claimed.folder;
    this.#owner = claimed.owner;
    this.#warning = claimed.warning;
    this.#keeper = new CountKeeper({
      ...claimed,
      buckets: config.metricsBuckets,
      linesLost: () => linesLost() + this.#workersLinesLost,
      onLoss: (message) => log.warn(message),
      onError: (err) =>
        log.warn({ err, folder: claimed.folder.path }, 'Counts cannot be kept: a restart would begin anew'),
    });
    const registry = new Registry();
    this.#registry = new ClusterRegistry({
      folder: this.#folder.path,
      keeper: this.#keeper,
      prefix: config.metricsPrefix,
      buckets: config.metricsBuckets,
      perWorker: config.metricsPerWorker,
      registry,
      onRedefined: (metric) => this.#log.warn({ metric }, REDEFINED),
    });
    registerLogLinesLost(registry, config.metricsPrefix, () => this.#keeper.linesLost);
    registerWorkerExits(registry, config.metricsPrefix, () => this.#keeper.exits);
    this.#supervisor = new Supervisor({
      ...config,
      bootsAtOnce: processorsAllowed(),
      log: this.#log,
      fork: (generation, waits) => this.#fork(generation, waits),
      onReady: (address, port) => this.#announce(address, port),
      onExit: (reason) => this.#countExit(reason),
      onLinesLost: (lines) => (this.#workersLinesLost += lines),
      onEnd: (code, message) => void this.#end(code, message),
    });
    // Nobody starts a worker while the service stops.
    const wanted = () => (this.#stoppedAt === undefined ? this.#settings.config.concurrency : 0);
    registerWorkers(registry, config.metricsPrefix, wanted, () => this.#supervisor.count());
    this.#control = new ControlSocket(this.#folder.path, {
      identity: () => this.#identity(),
      status: () => this.#status(),
      reload: () => this.#reload(),
      setLogLevel: (level) => this.#setLogLevel(level),
      find: (worker) => this.#supervisor.find(worker),
    });
    // Node's own round robin would leave a connection open for ever that was handed to a worker
    // which dies before it takes it. The workers accept by themselves; `advanced` sends long texts
    // three times as cheaply as JSON.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({ exec: this.#program.exec, serialization: 'advanced' });
  }

  async start(): Promise<void> {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => this.#stop(signal));
    process.on('SIGHUP', () => void this.#reload());
    onEndOfNpm(() => {
      if (this.#stoppedAt === undefined) this.#stop('SIGTERM', 'npm, which started the service, has ended. ');
    });
    this.#folder.watch(this.#folder.socket(this.#owner), () => void this.#restoreFolder());
    await this.#listenToCommands();
    if (!(await this.#serveMetrics())) return;
    this.#step();
  }

  /** Makes the folder anew after somebody has removed it. Workers renew their ledgers by themselves. */
  async #restoreFolder(): Promise<void> {
    const { path } = this.#folder;
    if (this.#keeper.isLost) return;
    if (!(await isClaimed(this.#folder, this.#owner, this.#log))) {
      this.#keeper.giveUp();
      const lost = 'Somebody has removed the folder of counts, and another running service has made it anew:';
      this.#log.warn({ path }, `${lost} counts end with this process; SERVICE_NAME tells the two apart`);
      return;
    }
    this.#log.warn(
      { path },
      'Somebody has removed the folder of counts: it is made anew, with all that is known',
    );
    this.#keeper.saveAnew(() => this.#registry.gone);
    await this.#listenToCommands();
  }

  async #listenToCommands(): Promise<void> {
    try {
      await this.#control.listen();
    } catch (err) {
      const warning = 'No control socket: the commands of koa-cluster-metrics do not find this service';
      this.#log.warn({ err }, warning);
    }
  }

  /**
   * Listens on METRICS_PORT if it is set, before any worker is forked: a port in use would waste the forks.
   * Resolves with false if it can't listen.
   */
  async #serveMetrics(): Promise<boolean> {
    const gather = async (wanted: Wanted) => (await this.#gather(wanted)).bytes;
    const hasStatusPage = () => this.#settings.config.statusPage;
    try {
      this.#metrics = await serveMetrics(this.#config, gather, this.#log, hasStatusPage);
      return true;
    } catch (err) {
      await this.#end(1, messageOf(err));
      return false;
    }
  }

  async #gather(wanted: Wanted): Promise<Exposition> {
    if (wanted !== 'workers') return this.#registry.gather(wanted);
    const workers = await lookAtWorkers(this.#supervisor);
    return { bytes: Buffer.from(JSON.stringify(workers)), asOf: monotonicTime() };
  }

  #fork(generation: number, waits: boolean) {
    cluster.setupPrimary({ cwd: folderFor(this.#program) });
    const { path: folder } = this.#folder;
    // A worker that finds no folder would keep its counts in memory for good.
    this.#folder.make();
    const assignment = { generation, id: this.#keeper.newId(), folder, primary: process.pid, waits };
    return forkWorker(
      assignment,
      this.#registry,
      this.#log,
      (event) => this.#enqueue(event),
      (connection) => this.#bequeath(connection),
      this.#settings.variables,
      (wanted) => this.#gather(wanted),
    );
  }

  #bequeath(connection: ConnectionHandle): void {
    const heir = this.#supervisor.nextHeir();
    if (heir) heir.give(connection);
    else connection.close();
  }

  #identity(): ServiceIdentity {
    const { url: address, listen = placeOf(this.#config) } = this.#address ?? {};
    const { host } = this.#config;
    return { pid: process.pid, url: address, listen, ...(host !== undefined && { host }) };
  }

  async #status(): Promise<ServiceStatus> {
    return {
      ...this.#identity(),
      uptimeSeconds: process.uptime(),
      wanted: this.#settings.config.concurrency,
      exits: this.#keeper.exits,
      workers: await lookAtWorkers(this.#supervisor),
    };
  }

  #setLogLevel(level: LogLevel): void {
    this.#settings.setLogLevel(level);
    this.#tellLogLevel();
  }

  #tellLogLevel(): void {
    const { logLevel: level } = this.#settings;
    if (level === undefined) return;
    for (const worker of this.#supervisor.workers()) worker.process.send({ type: 'log-level', level });
  }

  /** Resolves when the reload is over, with the reason if not all workers are new. */
  async #reload(): Promise<string | undefined> {
    this.#manager.reloads();
    const problem = await this.#replaceWorkers();
    this.#manager.reloaded(problem ?? 'Reloaded: all workers are new');
    return problem;
  }

  async #replaceWorkers(): Promise<string | undefined> {
    if (this.#stoppedAt !== undefined) return 'The service is stopping.';
    const bad = this.#settings.readAgain();
    if (bad !== undefined) return bad;
    const { current: tried } = this.#settings;
    return new Promise((resolve) => {
      // Not later: with the settings of a reload that has failed the supervisor would take workers away.
      const done = (problem?: string) => {
        if (problem === undefined) this.#settings.prove(tried);
        else {
          this.#settings.takeBack();
          this.#tellLogLevel(); // some workers may be new
        }
        resolve(problem);
      };
      this.#enqueue({ type: 'reload', done });
    });
  }

  #enqueue(event: SupervisorEvent): void {
    if (event.type === 'exit') this.#control.workerGone(event.generation);
    else if (event.type === 'message') this.#answer(event.generation, event.message);
    this.#supervisor.enqueue(event);
    if (this.#stepping) return;
    this.#stepping = true;
    setImmediate(() => this.#step());
  }

  #answer(generation: number, { type }: WorkerMessage): void {
    const worker = this.#supervisor.find(generation)?.process;
    const { keyPair, logLevel: level } = this.#settings;
    if (type === 'key-pair-wanted' && keyPair) worker?.send({ type: 'key-pair', ...keyPair });
    // A worker that still loaded its code when the level was set has not heard of it.
    if (type === 'ready' && level !== undefined) worker?.send({ type: 'log-level', level });
  }

  #step(): void {
    this.#stepping = false;
    clearTimeout(this.#timer);
    const now = performance.now();
    this.#timer = setTimeout(() => this.#step(), this.#supervisor.step(now) - now);
    this.#manager.lives(now);
  }

  #countExit(reason: ExitReason): void {
    this.#keeper.countExit(reason);
    this.#registry.saveSoon();
  }

  #announce(address: string, port: number): void {
    removeLeftovers(this.#config.ledgerDir).catch((err: unknown) =>
      this.#log.debug({ err }, 'Leftovers stay'),
    );
    if (this.#warning !== undefined) this.#log.warn(this.#warning);
    const config = this.#config;
    const where = url(address, port, config.tlsCert === undefined ? 'http' : 'https');
    this.#address = { url: where, listen: port === 0 ? where : String(port) };
    const ready = readyLine(config, where, this.#metrics?.port);
    const next = config.docs ? '; the documentation of the API is on /docs' : '';
    this.#log.info(`${ready} (primary pid ${process.pid})${next}`);
    this.#manager.serves(ready);
    // PM2's `wait_ready`, or another parent process, waits for this message.
    process.send?.('ready', undefined, {}, () => {});
    this.#registry
      .takeOver()
      .catch((err: unknown) =>
        this.#log.warn({ err }, 'Counts are not taken over yet: the next scrape does it'),
      );
  }

  #stop(signal: StopSignal, why = ''): void {
    const now = performance.now();
    if (this.#stoppedAt === undefined) {
      this.#stoppedAt = now;
      this.#manager.stops();
      this.#log.info({ signal }, `${why}Stopping: finishing what is in flight; a second signal ends at once`);
      this.#enqueue({ type: 'stop' });
    } else if (now - this.#stoppedAt > SAME_SIGNAL_MS) {
      this.#log.warn({ signal }, 'Ended by a second signal; requests in flight are cut off');
      this.#supervisor.killAll();
      this.#exit(128 + constants.signals[signal]);
    }
  }

  /**
   * Ends the service. A `message` says why it could not start, and goes to stderr for the person who tried.
   */
  async #end(code: number, message?: string): Promise<void> {
    clearTimeout(this.#timer);
    if (message !== undefined) new LineSink(2).write(`${message}\n`);
    await this.#metrics?.server.close();
    if (code === 0) this.#log.info('Stopped');
    this.#exit(code);
  }

  #exit(code: number): never {
    this.#giveUpLines();
    try {
      this.#keeper.leave(() => this.#registry.gone);
    } catch (err) {
      this.#log.warn({ err }, 'The folder of counts could not be left in order');
    }
    process.exit(code);
  }
}
