import cluster from 'node:cluster';
import { setImmediate } from 'node:timers/promises';
import { AggregatorRegistry, type PrometheusContentType, type Registry } from 'prom-client';
import { rest, Slices } from '../event-loop-turns.js';
import type { Foreseen } from '../foreseen.js';
import { ownSeries, SERVICE_METRICS } from '../metric-catalogue.js';
import type { Snapshot } from '../snapshot/snapshot.js';
import { SnapshotReader } from '../snapshot/snapshot-reader.js';
import { Aggregation, type Counts } from '../aggregation/aggregation.js';
import type { Family, RequestCounts } from '../aggregation/families.js';
import type { Live } from '../aggregation/family-totals.js';
import type { Gathered } from './gathered.js';
import { type Exposition, type Format, type Gatherer, SharedGatherer } from './gatherer.js';
import { LedgerSource } from '../aggregation/ledger-source.js';
import { monotonicTime } from './monotonic-time.js';
import { familiesOf, missingWorkers } from './own-families.js';
import { type Ask, type Asked, WorkerInquiry } from './worker-inquiry.js';

export interface ClusterRegistryOptions {
  /** The service's folder. */
  readonly folder: string;
  /** Without it, what workers have counted ends with this process. */
  readonly keeper?: Keeper;
  readonly prefix: string;
  /** Upper bounds in seconds, ascending, without +Inf. */
  readonly buckets: readonly number[];
  /** Gauges get a `worker` label instead of being merged. */
  readonly perWorker: boolean;
  /** How long a worker may take to answer when it is asked. Default 500. */
  readonly timeoutMs?: number;
  /** How old a worker's answer may be at a scrape. Default 1900. */
  readonly maxAgeMs?: number;
  /** How far apart gatherings begin at least. Default 250. */
  readonly intervalMs?: number;
  /** The primary's own metrics: `registerWorkers` and `registerWorkerExits`. */
  readonly registry: Registry;
  /** Called with the name of a metric that begins anew, because a younger worker has another definition of it. */
  readonly onRedefined?: (name: string) => void;
}

/** Keeps what workers have counted for the service that comes after this one. */
export interface Keeper {
  /** Since when this service and those before it have counted, in ms since 1970. */
  readonly since: number;
  /** What those have counted that were gone before this process began. */
  readonly gone: Counts;
  /** The workers of an earlier primary whose counts are not in `gone`. */
  leftovers(): readonly number[];
  /** What such a worker last said. */
  lastWord(id: number): Snapshot | undefined;
  /** To be called when a worker serves; before that this process may yet give way to another one. */
  takeCharge(): void;
  /** A worker's counts are among the gone: its files may go when these are saved. */
  retire(id: number): void;
  /** To be called before anything is exposed, and when a worker has gone. */
  save(gone: () => Counts): void;
}

/**
 * Four gatherings a second are plenty: whatever scrapes more often shares them, and the requests keep their CPU. A scrape that
 * has to wait for one, and then for a hung worker, is still answered within a second.
 */
const INTERVAL_MS = 250;

/**
 * A worker needs a millisecond for a snapshot, in which its requests wait. Counts of requests are in the ledgers, and
 * those are read at every gathering. Less than two seconds, so that whoever scrapes every two seconds always gets new
 * answers.
 */
const MAX_AGE_MS = 1_900;

/** What the primary knows of one worker. */
class WorkerSource extends LedgerSource {
  readonly reader = new SnapshotReader();
  /** The latest request it has answered; Infinity after its final snapshot. */
  answered = -1;
  /** It has let a gathering wait for nothing, and has not answered since. */
  late = false;
  ledgerFailed = false;

  constructor(
    readonly ask: Ask,
    readonly slot: number,
    { folder, buckets }: ClusterRegistryOptions,
    readonly id: number,
    birth: number,
  ) {
    super({ folder, buckets, id, birth });
  }

  /** It may have counts that neither its ledger nor an answer has told. */
  get hasUnwritten(): boolean {
    return this.ledgerFailed && this.answered !== Infinity;
  }
}

/**
 * The primary's view of the whole service. Request counts come from the workers' ledgers, all other metrics from the
 * snapshots they send; what a worker has counted stays when it is late, or gone. Nothing that was exposed ever falls.
 */
export class ClusterRegistry extends AggregatorRegistry<PrometheusContentType> implements Gatherer {
  readonly #options: ClusterRegistryOptions;
  readonly #workers = new Map<number, WorkerSource>();
  readonly #aggregation: Aggregation;
  readonly #inquiry: WorkerInquiry;
  readonly #shared: SharedGatherer;
  #asked: Asked = { at: -Infinity, answers: new Map(), missing: new Set() };
  #askAgain = false;
  #isToSave = false;
  /** How often what workers are asked for has changed, and its families of that time. */
  #changes = 0;
  #answered: { changes: number; families: readonly Family[] } = { changes: -1, families: [] };

  constructor(options: ClusterRegistryOptions) {
    const before = new Set(cluster.listeners('message'));
    super();
    // prom-client's listener answers to a protocol that is not used here, and throws on a message that is `null`.
    for (const added of cluster.listeners('message')) {
      // `listeners` says Function; what could be added can be removed.
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
    this.#shared = new SharedGatherer({ prefix, buckets, intervalMs }, (detailed) => this.#collect(detailed));
  }

  /**
   * To be called when a worker is forked, before it can answer anybody. `generation` names it and its ledger, and is never
   * used again; `ask` sends it a request for a snapshot; `id` names its files.
   */
  addWorker(generation: number, ask: Ask, id = generation): void {
    const slots = new Set([...this.#workers.values()].map(({ slot }) => slot));
    let slot = 1;
    while (slots.has(slot)) slot++;
    this.#workers.set(generation, new WorkerSource(ask, slot, this.#options, id, generation));
  }

  /** To be called with what a worker foresees, before it serves. */
  foresee(series: readonly Foreseen[]): void {
    this.#aggregation.foresee(series, Date.now());
  }

  /** To be called when a worker can answer, which it could not when the others were asked. */
  workerReady(): void {
    this.#askAgain = true;
    for (const worker of this.#workers.values()) worker.openLedger();
    this.#options.keeper?.takeCharge();
    this.#save();
  }

  /** To be called when a worker can't write its ledger: from then on workers are asked at every scrape. */
  ledgerFailed(generation: number): void {
    const worker = this.#workers.get(generation);
    if (worker) worker.ledgerFailed = true;
  }

  /**
   * Takes in the `snapshotText` that a worker sent: the answer to a request, or without one its final snapshot.
   * @returns false when it is no snapshot, and was ignored
   */
  receiveSnapshot(generation: number, requestId: number | undefined, text: string): boolean {
    const worker = this.#workers.get(generation);
    // Gone, with all that it had counted.
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
   * Takes over what an earlier primary's workers have counted. One that still runs, which it does for a moment when its primary was
   * killed, is read on until it is gone.
   */
  takeOver(): void {
    const { keeper } = this.#options;
    if (!keeper) return;
    this.#aggregation.gone = keeper.gone;
    for (const id of keeper.leftovers()) {
      const worker = new WorkerSource(() => false, 0, this.#options, id, 0);
      const lastWord = keeper.lastWord(id);
      if (lastWord) this.#aggregation.read(worker, lastWord);
      // Not a generation of ours.
      this.#workers.set(-id, worker);
    }
    this.#changes++;
    this.#retireOrphans();
  }

  #retireOrphans(): void {
    for (const [key, worker] of this.#workers) if (key < 0 && !worker.isRunning) this.removeWorker(key);
  }

  /** What those have counted that are gone. */
  get gone(): Counts {
    return this.#aggregation.gone;
  }

  /** To be called when the process is gone: what it has counted stays, its ledger is removed. */
  removeWorker(generation: number): void {
    const worker = this.#workers.get(generation);
    if (!worker) return;
    this.#workers.delete(generation);
    this.#changes++;
    worker.retireTo(this.#aggregation);
    this.#inquiry.gone(generation);
    const { keeper } = this.#options;
    if (!keeper) return worker.removeFiles();
    keeper.retire(worker.id);
    // Once for all that go together.
    if (this.#isToSave) return;
    this.#isToSave = true;
    globalThis.setImmediate(() => {
      this.#isToSave = false;
      this.#save();
    });
  }

  /**
   * The exposition of the whole service. Its request counts are complete as of the call; what workers have to be asked for
   * may be `maxAgeMs` older where scrapes come more often than that.
   */
  gather(format?: Format): Promise<Exposition> {
    return this.#shared.gather(format);
  }

  /** prom-client's name for it. */
  override async clusterMetrics(): Promise<string> {
    return (await this.gather()).bytes.toString();
  }

  async #collect(detailed: boolean): Promise<Gathered> {
    const asOf = monotonicTime();
    // Let queued messages (a failed ledger) arrive first.
    await setImmediate();
    // First, so that a worker which is said to be ready there is among those that are asked.
    const own = await familiesOf(this.#options.registry, this.#options.keeper?.since);
    const inLedgers = this.#allInLedgers();
    const others = this.#answeredFamilies().then((answered) => [own, answered]);
    // It is waited for later, or not at all where the ledgers can't be read.
    others.catch(() => {});
    if (!inLedgers) await others;
    return { asOf, requests: await this.#readRequests(detailed), others };
  }

  /** Whether the ledgers have all that was counted, so that nothing of it comes with an answer. */
  #allInLedgers(): boolean {
    return [...this.#workers.values()].every((worker) => !worker.hasUnwritten);
  }

  async #readRequests(detailed: boolean): Promise<RequestCounts> {
    await rest();
    const slices = await Slices.begin();
    this.#retireOrphans();
    for (const worker of this.#workers.values()) await worker.readLedger(this.#aggregation, slices, detailed);
    const requests = await this.#aggregation.requests(slices, detailed);
    // What was exposed once must not fall when this process is killed.
    this.#save();
    return requests;
  }

  #save(): void {
    this.#options.keeper?.save(() => this.#aggregation.gone);
  }

  /** What workers have to be asked for. */
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
