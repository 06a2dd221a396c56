import cluster from 'node:cluster';
import { setImmediate } from 'node:timers/promises';
import { AggregatorRegistry, type PrometheusContentType, type Registry } from 'prom-client';
import { rest, Slices } from '../event-loop-turns.js';
import type { Foreseen } from '../foreseen.js';
import { ownSeries, SERVICE_METRICS } from '../metric-catalogue.js';
import type { Snapshot } from '../snapshot/snapshot.js';
import { Aggregation, type Counts } from '../aggregation/aggregation.js';
import type { Family, RequestCounts } from '../aggregation/families.js';
import type { Live } from '../aggregation/family-totals.js';
import type { Gathered } from './gathered.js';
import { type Exposition, type Format, type Gatherer, SharedGatherer } from './gatherer.js';
import { Inheritance } from './inheritance.js';
import type { Keeper } from './keeper.js';
import { monotonicTime } from './monotonic-time.js';
import { familiesOf, missingWorkers } from './own-families.js';
import { type Ask, type Asked, WorkerInquiry } from './worker-inquiry.js';
import { WorkerSource } from './worker-source.js';

export interface ClusterRegistryOptions {
  /** The service's folder. */
  readonly folder: string;
  /** Keeps the counts for a later service. Without it they end with this process. */
  readonly keeper?: Keeper;
  readonly prefix: string;
  /** Upper bounds in seconds, ascending, without +Inf. */
  readonly buckets: readonly number[];
  /** Whether gauges get a `worker` label instead of being merged. */
  readonly perWorker: boolean;
  /** Milliseconds that a worker may take to answer. Default 500. */
  readonly timeoutMs?: number;
  /** Milliseconds that a worker's answer may be old at a scrape. Default 1900. */
  readonly maxAgeMs?: number;
  /** The fewest milliseconds between the beginnings of two gatherings. Default 250. */
  readonly intervalMs?: number;
  /** The primary's own metrics: `registerWorkers` and `registerWorkerExits`. */
  readonly registry: Registry;
  /**
   * Called with the name of a metric that begins anew, because a younger worker has another definition of it.
   */
  readonly onRedefined?: (name: string) => void;
}

/**
 * Milliseconds between gatherings. Four a second are plenty: more frequent scrapes share them,
 * and requests keep their CPU. A scrape that has to wait for one, and then for a hung worker, is
 * still answered within a second.
 */
const INTERVAL_MS = 250;

/**
 * Milliseconds for which a worker's snapshot is used again. A worker needs a millisecond for one, in which
 * its requests wait; counts of requests are in the ledgers, which are read at every gathering. Less than two
 * seconds, so that a scrape every two seconds always gets new answers.
 */
const MAX_AGE_MS = 1_900;

/**
 * The primary's view of the whole service. Request counts come from the workers' ledgers, all other metrics
 * from their snapshots. The counts of a late or ended worker stay. No exposed count ever falls.
 */
export class ClusterRegistry extends AggregatorRegistry<PrometheusContentType> implements Gatherer {
  readonly #options: ClusterRegistryOptions;
  readonly #workers = new Map<number, WorkerSource>();
  readonly #aggregation: Aggregation;
  readonly #inquiry: WorkerInquiry;
  readonly #shared: SharedGatherer;
  readonly #inheritance: Inheritance | undefined;
  #asked: Asked = { at: -Infinity, answers: new Map(), missing: new Set() };
  #askAgain = false;
  #isToSave = false;
  /** The number of rows that have counted a request. */
  #counted = 0;
  /** Cache of the families that workers were asked for, valid while `#changes` is the same. */
  #changes = 0;
  #answered: { changes: number; families: readonly Family[] } = { changes: -1, families: [] };

  constructor(options: ClusterRegistryOptions) {
    const before = new Set(cluster.listeners('message'));
    super();
    // prom-client's listener serves a protocol that is not used here, and throws on a message that is `null`.
    for (const added of cluster.listeners('message')) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what was added can be removed
      if (!before.has(added)) cluster.off('message', added as (...args: unknown[]) => void);
    }
    this.#options = options;
    const { prefix, buckets, timeoutMs = 500, intervalMs = INTERVAL_MS } = options;
    this.#inquiry = new WorkerInquiry(this.#workers, timeoutMs);
    const { workers, workerExits } = SERVICE_METRICS;
    const ofPrimary = [workers, workerExits].map(({ name }) => prefix + name);
    this.#aggregation = new Aggregation({
      buckets,
      reserved: [...ownSeries(prefix), ...ofPrimary],
      ...(options.onRedefined && { onRedefined: options.onRedefined }),
    });
    this.#inheritance = options.keeper && new Inheritance(options.keeper, this.#aggregation, options);
    this.#shared = new SharedGatherer({ prefix, buckets, intervalMs }, (detailed) => this.#collect(detailed));
  }

  /**
   * Adds a worker. Called when it is forked, before it can answer anybody.
   * @param generation names the worker, and is never used again
   * @param ask sends it a request for a snapshot
   * @param id the number in the names of its files
   */
  addWorker(generation: number, ask: Ask, id = generation): void {
    const slots = new Set([...this.#workers.values()].map(({ slot }) => slot));
    let slot = 1;
    while (slots.has(slot)) slot++;
    this.#workers.set(generation, new WorkerSource(ask, slot, this.#options, id, generation));
  }

  /** Adds the series that a worker foresees. Called before it serves. */
  foresee(series: readonly Foreseen[]): void {
    this.#aggregation.foresee(series, Date.now());
  }

  /** Notes that a worker can answer now, which it could not when the others were asked. */
  workerReady(): void {
    this.#askAgain = true;
    for (const worker of this.#workers.values()) worker.openLedger();
    this.#options.keeper?.takeCharge();
  }

  /** Notes that a worker can't write its ledger: from then on workers are asked at every scrape. */
  ledgerFailed(generation: number): void {
    const worker = this.#workers.get(generation);
    if (worker) worker.ledgerFailed = true;
  }

  /**
   * Takes in the `snapshotText` that a worker sent: the answer to a request, or
   * without one its final snapshot.
   * @returns false if it is no snapshot, and was ignored
   */
  receiveSnapshot(generation: number, requestId: number | undefined, text: string): boolean {
    const worker = this.#workers.get(generation);
    // The worker has ended, and its counts have been taken in.
    if (!worker) return true;
    const snapshot = worker.reader.read(text);
    if (!snapshot) return false;
    const order = requestId ?? Infinity;
    if (order <= worker.answered) return true;
    worker.answered = order;
    worker.late = false;
    this.#changes++;
    this.#aggregation.read(worker, snapshot);
    this.#inquiry.answered(generation, requestId, snapshot);
    return true;
  }

  /**
   * Takes over the counts of earlier primaries and of their workers, and saves them. A scrape does it by
   * itself; to be called when the service is ready, which therefore does not wait for it.
   */
  async takeOver(): Promise<void> {
    await this.#retireOrphans();
    this.#save();
  }

  async #retireOrphans(): Promise<void> {
    if (await this.#inheritance?.retire()) this.#changes++;
  }

  /** The counts of ended workers. */
  get gone(): Counts {
    this.#inheritance?.begin();
    return this.#aggregation.gone;
  }

  /** Removes a worker that has ended. Its counts stay, its ledger is removed. */
  removeWorker(generation: number): void {
    const worker = this.#workers.get(generation);
    if (!worker) return;
    this.#inheritance?.begin();
    this.#workers.delete(generation);
    this.#changes++;
    worker.retireTo(this.#aggregation);
    this.#inquiry.gone(generation);
    const { keeper } = this.#options;
    if (!keeper) return worker.removeFiles();
    keeper.retire(worker.id);
    this.saveSoon();
  }

  /** Saves what the keeper keeps. Workers that end together share one save. */
  saveSoon(): void {
    if (this.#isToSave) return;
    this.#isToSave = true;
    globalThis.setImmediate(() => {
      this.#isToSave = false;
      this.#save();
    });
  }

  /**
   * Makes the exposition of the whole service. Its request counts are complete as of the call; values that
   * workers have to be asked for may be `maxAgeMs` older if scrapes come more often than that.
   */
  gather(format?: Format): Promise<Exposition> {
    return this.#shared.gather(format);
  }

  /** Makes the exposition as text, under prom-client's name for it. */
  override async clusterMetrics(): Promise<string> {
    return (await this.gather()).bytes.toString();
  }

  async #collect(detailed: boolean): Promise<Gathered> {
    const asOf = monotonicTime();
    // Let queued messages (a failed ledger) arrive first.
    await setImmediate();
    await this.#retireOrphans();
    // The own families come first: a worker that they show as ready is then among those that are asked.
    const own = await familiesOf(this.#options.registry, this.#options.keeper?.since);
    const inLedgers = this.#allInLedgers();
    const answered = this.#answeredFamilies();
    // The promise is awaited later, or not at all if the ledgers can't be read.
    answered.catch(() => {});
    if (!inLedgers) await answered;
    const requests = await this.#readRequests(detailed);
    const counters = await this.#aggregation.counters(await Slices.begin());
    return { asOf, requests, others: answered.then((families) => [own, families, counters]) };
  }

  /** Tells whether the ledgers have all request counts, so that none has to come with an answer. */
  #allInLedgers(): boolean {
    return [...this.#workers.values()].every((worker) => !worker.hasUnwritten);
  }

  async #readRequests(detailed: boolean): Promise<RequestCounts> {
    await rest();
    const slices = await Slices.begin();
    const orphans = this.#inheritance?.running ?? [];
    for (const worker of [...this.#workers.values(), ...orphans])
      await worker.readLedger(this.#aggregation, slices, detailed);
    const requests = await this.#aggregation.requests(slices, detailed);
    // A count that was once exposed must not fall when this process is killed, and not begin later.
    const counted = requests.counts.filter((count) => count > 0).length;
    if (counted > this.#counted) this.#options.keeper?.changed();
    this.#counted = counted;
    this.#save();
    return requests;
  }

  #save(): void {
    this.#options.keeper?.save(() => this.#aggregation.gone);
  }

  /** Returns the families that workers have to be asked for. */
  async #answeredFamilies(): Promise<readonly Family[]> {
    const { answers, missing } = await this.#snapshots();
    const changes = this.#changes;
    if (this.#answered.changes !== changes) {
      const slices = await Slices.begin();
      const families = await this.#aggregation.families(this.#live(answers), slices);
      const count = this.#present(missing).length;
      this.#answered = { changes, families: [missingWorkers(this.#options.prefix, count), ...families] };
    }
    return this.#answered.families;
  }

  async #snapshots(): Promise<Asked> {
    const oldest = performance.now() - (this.#options.maxAgeMs ?? MAX_AGE_MS);
    if (this.#allInLedgers() && this.#asked.at > oldest && !this.#askAgain) return this.#asked;
    this.#askAgain = false;
    this.#asked = await this.#inquiry.ask();
    this.#changes++;
    return this.#asked;
  }

  #present(generations: Iterable<number>): WorkerSource[] {
    return [...generations].flatMap((generation) => this.#workers.get(generation) ?? []);
  }

  #live(answers: ReadonlyMap<number, Snapshot>): Live[] {
    return [...answers].flatMap(([generation, snapshot]) => {
      const slot = this.#workers.get(generation)?.slot;
      if (slot === undefined) return [];
      return [this.#options.perWorker ? { snapshot, slot } : { snapshot }];
    });
  }
}
