import { setImmediate } from 'node:timers/promises';
import { AggregatorRegistry, type PrometheusContentType, type Registry } from 'prom-client';
import { appendMissingWorkers } from './text-format.js';
import { MergedMetrics, type Live } from './merged-metrics.js';
import { monotonicTime } from './monotonic-time.js';
import { oneAtATime } from './one-at-a-time.js';
import { listenersAdded } from './prom-client-listener.js';
import { RequestTotals } from './request-totals.js';
import { ownSeries, SERVICE_METRICS } from '../service-metrics.js';
import { rest, Slices, Turns } from './slices.js';
import type { Snapshot } from '../snapshot/snapshot.js';
import { TextBuffer } from './text-buffer.js';
import { WorkerInquiry, type Asked } from './worker-inquiry.js';
import { WorkerMetrics, type Ask } from './worker-metrics.js';

export interface ClusterRegistryOptions {
  /** This service's ledger folder, as `prepareLedgerFolder` made it. */
  readonly folder: string;
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
}

/** All metrics of the service at a time. */
export interface Exposition {
  readonly bytes: Buffer;
  /** Every request that was answered before this `monotonicTime` is counted. */
  readonly asOf: number;
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

/**
 * The primary's view of the whole service. Request counts come from the workers' ledgers, all other metrics from the
 * snapshots they send; what a worker has counted stays when it is late, or gone. Nothing that was exposed ever falls.
 */
export class ClusterRegistry extends AggregatorRegistry<PrometheusContentType> {
  readonly #options: ClusterRegistryOptions;
  readonly #workers = new Map<number, WorkerMetrics>();
  readonly #requests: RequestTotals;
  readonly #metrics: MergedMetrics;
  readonly #inquiry: WorkerInquiry;
  readonly #shared: () => Promise<Exposition>;
  readonly #turns = new Turns();
  /** Bytes of the last exposition. */
  #length = 0;
  #asked: Asked = { at: -Infinity, answers: new Map(), missing: new Set() };
  #askAgain = false;
  /** How often what workers are asked for has changed, and its text of that time. */
  #changes = 0;
  #answered: { changes: number; text: Buffer } = { changes: -1, text: Buffer.alloc(0) };

  constructor(options: ClusterRegistryOptions) {
    const added = listenersAdded();
    super();
    added.remove();
    this.#options = options;
    this.#inquiry = new WorkerInquiry(this.#workers, options.timeoutMs ?? 500);
    this.#requests = new RequestTotals(options.prefix, options.buckets);
    const { workers, workerExits } = SERVICE_METRICS;
    const ofPrimary = [workers, workerExits].map(({ name }) => options.prefix + name);
    this.#metrics = new MergedMetrics([...ownSeries(options.prefix), ...ofPrimary]);
    this.#shared = oneAtATime(() => this.#gather(), options.intervalMs ?? INTERVAL_MS);
  }

  /**
   * To be called when a worker is forked, before it can answer anybody. `generation` names it and its ledger, and is never
   * used again; `ask` sends it a request for a snapshot.
   */
  addWorker(generation: number, ask: Ask): void {
    const { folder, buckets } = this.#options;
    const slots = new Set([...this.#workers.values()].map(({ slot }) => slot));
    let slot = 1;
    while (slots.has(slot)) slot++;
    this.#workers.set(generation, new WorkerMetrics(ask, slot, folder, generation, buckets));
  }

  /** To be called when a worker can answer, which it could not when the others were asked. */
  workerReady(): void {
    this.#askAgain = true;
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
    this.#takeIn(worker, snapshot);
    this.#inquiry.answered(generation, requestId, snapshot);
    return true;
  }

  #takeIn(worker: WorkerMetrics, snapshot: Snapshot): void {
    this.#changes++;
    this.#metrics.add(worker.metrics, snapshot);
    for (const { labels, cells } of snapshot.rows) {
      if (cells.length !== this.#options.buckets.length + 2) continue;
      this.#requests.add(worker.requests, this.#requests.indexOf(labels), Float64Array.from(cells), 0);
    }
  }

  /** To be called when the process is gone: what it has counted stays, its ledger is removed. */
  removeWorker(generation: number): void {
    const worker = this.#workers.get(generation);
    if (!worker) return;
    this.#workers.delete(generation);
    this.#changes++;
    worker.remove(this.#requests);
    this.#inquiry.gone(generation);
  }

  /**
   * The exposition of the whole service. Its request counts are complete as of the call; what workers have to be asked for
   * may be `maxAgeMs` older where scrapes come more often than that. One gathering runs at a time; calls that arrive
   * meanwhile share the next one, because the running one may have passed what was answered before they came. They get it one
   * by one: each has to send it.
   */
  async gather(): Promise<Exposition> {
    const exposition = await this.#shared();
    await this.#turns.next();
    return exposition;
  }

  /** prom-client's name for it. */
  override async clusterMetrics(): Promise<string> {
    return (await this.gather()).bytes.toString();
  }

  async #gather(): Promise<Exposition> {
    const asOf = monotonicTime();
    // What came together with the scrape may be word of a ledger that has failed.
    await setImmediate();
    // First, so that a worker which is said to be ready there is among those that are asked.
    const own = await this.#options.registry.metrics();
    const inLedgers = this.#allInLedgers();
    const answering = this.#answeredText();
    const rendering = inLedgers ? this.#renderRequests() : answering.then(() => this.#renderRequests());
    const [text, answered] = await Promise.all([rendering, answering]);
    text.append(`\n${own}\n`);
    text.appendBytes(answered);
    this.#length = text.length;
    return { bytes: text.bytes, asOf };
  }

  /** Whether the ledgers have all that was counted, so that nothing of it comes with an answer. */
  #allInLedgers(): boolean {
    return [...this.#workers.values()].every((worker) => !worker.hasUnwritten);
  }

  async #renderRequests(): Promise<TextBuffer> {
    await rest();
    const slices = await Slices.begin();
    for (const worker of this.#workers.values()) await worker.readInto(this.#requests, slices);
    // Most have grown by a few digits.
    const text = new TextBuffer(1.1 * this.#length);
    await this.#requests.render(text, slices);
    return text;
  }

  /** The text of what workers have to be asked for. */
  async #answeredText(): Promise<Buffer> {
    const { answers, missing } = await this.#snapshots();
    const changes = this.#changes;
    if (this.#answered.changes !== changes) {
      const text = new TextBuffer();
      const slices = await Slices.begin();
      appendMissingWorkers(text, this.#options.prefix, this.#present(missing).length);
      await this.#metrics.render(this.#live(answers), text, slices);
      this.#answered = { changes, text: text.bytes };
    }
    return this.#answered.text;
  }

  async #snapshots(): Promise<Asked> {
    const oldest = performance.now() - (this.#options.maxAgeMs ?? MAX_AGE_MS);
    if (this.#allInLedgers() && this.#asked.at > oldest && !this.#askAgain) return this.#asked;
    this.#askAgain = false;
    this.#asked = await this.#inquiry.ask();
    this.#changes++;
    return this.#asked;
  }

  #present(generations: Iterable<number>): WorkerMetrics[] {
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
