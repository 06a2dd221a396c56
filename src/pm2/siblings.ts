import { randomInt } from 'node:crypto';
import { Registry } from 'prom-client';
import type { Config } from '../config.js';
import { Slices } from '../metrics/event-loop-turns.js';
import { Aggregation } from '../metrics/exposition/aggregation.js';
import type { Family } from '../metrics/exposition/families.js';
import type { Live } from '../metrics/exposition/family-totals.js';
import type { Gathered } from '../metrics/exposition/gathered.js';
import {
  type Exposition,
  type Format,
  type Gatherer,
  SharedGatherer,
} from '../metrics/exposition/gatherer.js';
import { LedgerSource } from '../metrics/exposition/ledger-source.js';
import { monotonicTime } from '../metrics/exposition/monotonic-time.js';
import { oneAtATime } from '../metrics/exposition/one-at-a-time.js';
import { familiesOf, missingWorkers } from '../metrics/exposition/own-families.js';
import type { Foreseen } from '../metrics/foreseen.js';
import { ownSeries, SERVICE_METRICS } from '../metrics/metric-catalogue.js';
import type { Snapshot } from '../metrics/snapshot/snapshot.js';
import {
  EXIT_REASONS,
  type ExitReason,
  registerWorkerExits,
  registerWorkers,
  type WorkerState,
} from '../metrics/supervision-metrics.js';
import { type Archive, SiblingArchive } from './sibling-archive.js';
import { askSibling, GONE, listenToSiblings } from './sibling-channel.js';
import type { SiblingFolder } from './sibling-folder.js';
import { parseReport, readReport, type Report, writeReport } from './sibling-report.js';

export interface SiblingsOptions {
  readonly folder: SiblingFolder;
  readonly config: Pick<Config, 'metricsPrefix' | 'metricsBuckets' | 'metricsPerWorker'>;
  /** Which one of the app's instances this is, from 1. */
  readonly slot: number;
  /** All that this instance has to say and its ledger has not. */
  readonly snapshot: () => Promise<Snapshot>;
  /** What goes wrong with the folder; scrapes go on with what they have. */
  readonly onError: (err: Error) => void;
  /** Called with the name of a metric that begins anew, because a younger instance has another definition of it. */
  readonly onRedefined: (name: string) => void;
  /** How long a sibling may take to answer a scrape. Default 500. */
  readonly timeoutMs?: number;
}

/** What a gathering found. */
interface Found {
  /** Every instance that is there, whether or not it is alive. */
  readonly ids: readonly number[];
  readonly gone: readonly number[];
  readonly answered: ReadonlyMap<number, Report>;
}

/**
 * The instances of an app of which none is the primary, because a process manager is. Any of them can be asked for the
 * metrics of all: request counts come from the ledgers, all other metrics from what each says of itself, and the counts of those
 * that are gone from an archive, to which whoever notices adds them.
 */
export class Siblings implements Gatherer {
  state: WorkerState = 'starting';
  readonly id: number;
  readonly #options: SiblingsOptions;
  readonly #archive: SiblingArchive;
  readonly #birth = Date.now();
  #exit: ExitReason | undefined;
  #foreseen: readonly Foreseen[] = [];
  /** One after the other: a report that is kept later than another must not be older. */
  readonly #speak = oneAtATime(() => this.#report());
  readonly #aggregation: Aggregation;
  readonly #sources = new Map<number, LedgerSource>();
  readonly #shared: SharedGatherer;
  /** Which archive's counts are in the aggregation. */
  #archived: Archive | undefined;

  /**
   * Becomes one of them: from now on the others can ask, and count on what this one leaves. The first one to come, when
   * none of them is alive, begins a new archive. Rejects when the folder cannot be used.
   */
  static async join(options: SiblingsOptions): Promise<Siblings> {
    const siblings = new Siblings(options);
    await listenToSiblings(options.folder.socket(siblings.id), () => siblings.#speak());
    await siblings.#meet();
    return siblings;
  }

  private constructor(options: SiblingsOptions) {
    this.#options = options;
    // A ledger has 32 bits for it. Never used again, unlike a pid.
    this.id = randomInt(1, 2 ** 32);
    const { metricsPrefix: prefix, metricsBuckets: buckets } = options.config;
    this.#archive = new SiblingArchive(options.folder, buckets);
    const { workers, workerExits } = SERVICE_METRICS;
    const reserved = [...ownSeries(prefix), prefix + workers.name, prefix + workerExits.name];
    this.#aggregation = new Aggregation({ buckets, reserved, onRedefined: options.onRedefined });
    this.#shared = new SharedGatherer({ prefix, buckets }, (detailed) => this.#collect(detailed));
  }

  /** The exposition of all instances, complete as of the call. */
  gather(format?: Format): Promise<Exposition> {
    return this.#shared.gather(format);
  }

  /** To be told what this instance foresees, before it serves. */
  foresee(series: readonly Foreseen[]): void {
    this.#foreseen = series;
  }

  /** Changes the state, and leaves word of it. */
  async announce(state: WorkerState): Promise<void> {
    this.state = state;
    await this.#speak();
  }

  /** Leaves the last word; nothing may be counted after it, and this process has to end. */
  async leave(exit: ExitReason): Promise<void> {
    this.#exit = exit;
    await this.#speak();
  }

  async #meet(): Promise<void> {
    const before = this.#archive.read();
    const { ids, gone, answered } = await this.#askAll();
    const isUp = (id: number) => !gone.includes(id) && answered.get(id)?.state !== 'starting';
    if (ids.some(isUp)) this.#archive.fold(gone);
    else this.#archive.reset(before, gone);
  }

  /** Every report is kept before it is given: what was exposed once is there when this process is late, or gone. */
  async #report(): Promise<string> {
    const { folder, slot, snapshot } = this.#options;
    const { state } = this;
    const exit = this.#exit && { exit: this.#exit };
    const report: Report = { state, slot, birth: this.#birth, snapshot: await snapshot(), ...exit };
    const text = JSON.stringify(report);
    try {
      if (state !== 'starting') writeReport(folder.report(this.id), text);
    } catch (err) {
      this.#fail(err);
    }
    return text;
  }

  async #collect(detailed: boolean): Promise<Gathered> {
    const asOf = monotonicTime();
    const found = await this.#askAll();
    try {
      this.#archive.fold(found.gone);
    } catch (err) {
      this.#fail(err);
    }
    const slices = await Slices.begin();
    const archive = this.#readArchive();
    // Any other instance says the same.
    this.#aggregation.foresee(this.#foreseen, archive.since ?? Date.now());
    this.#foreseen = [];
    for (const id of found.ids) {
      // Whoever was folded in the meantime is in the archive.
      if (!archive.folded.includes(id)) await this.#read(id, found, slices, detailed);
    }
    const requests = await this.#aggregation.requests(slices, detailed);
    const others = Promise.all([
      familiesOf(this.#serviceMetrics(archive, [...found.answered.values()]), archive.since),
      this.#families(found, slices),
    ]);
    return { asOf, requests, others };
  }

  /** Replaces the counts of those that are gone by what the archive has of them. */
  #readArchive(): Archive {
    const archive = this.#archive.read();
    if (archive === this.#archived) return archive;
    this.#archived = archive;
    for (const id of archive.folded) {
      const source = this.#sources.get(id);
      if (!source) continue;
      this.#sources.delete(id);
      this.#aggregation.forget(source);
      source.close();
    }
    this.#aggregation.gone = archive.counts;
    return archive;
  }

  async #read(id: number, { answered }: Found, slices: Slices, detailed: boolean): Promise<void> {
    const { folder, config } = this.#options;
    const report = answered.get(id) ?? readReport(folder.report(id));
    let source = this.#sources.get(id);
    if (!source) {
      const { metricsBuckets: buckets } = config;
      source = new LedgerSource({ folder: folder.path, generation: id, buckets, birth: report?.birth ?? 0 });
      this.#sources.set(id, source);
    }
    await source.readLedger(this.#aggregation, slices, detailed);
    if (report) this.#aggregation.read(source, report.snapshot);
  }

  async #askAll(): Promise<Found> {
    const { folder, timeoutMs = 500 } = this.#options;
    const ids = folder.list();
    const answered = new Map<number, Report>();
    const gone: number[] = [];
    const ask = async (id: number): Promise<void> => {
      const answer = id === this.id ? await this.#speak() : await askSibling(folder.socket(id), timeoutMs);
      const report = typeof answer === 'string' ? parseReport(answer) : undefined;
      if (report) answered.set(id, report);
      else if (answer === GONE) gone.push(id);
    };
    await Promise.all(ids.map(ask));
    return { ids, gone, answered };
  }

  async #families({ ids, gone, answered }: Found, slices: Slices): Promise<readonly Family[]> {
    const { metricsPrefix, metricsPerWorker } = this.#options.config;
    const live = [...answered.values()].map(({ snapshot, slot }): Live =>
      metricsPerWorker ? { snapshot, slot } : { snapshot },
    );
    const missing = missingWorkers(metricsPrefix, ids.length - gone.length - answered.size);
    return [missing, ...(await this.#aggregation.families(live, slices))];
  }

  /** What the primary counts where there is one. */
  #serviceMetrics({ exits }: Archive, reports: readonly Report[]): Registry {
    const registry = new Registry();
    const { metricsPrefix } = this.#options.config;
    const counts = { starting: 0, ready: 0, draining: 0 };
    for (const { state } of reports) counts[state] += 1;
    // How many there should be is for PM2 to know, which can be told another number at any time.
    registerWorkers(
      registry,
      metricsPrefix,
      () => 0,
      () => counts,
    );
    const countExits = registerWorkerExits(registry, metricsPrefix);
    for (const reason of EXIT_REASONS) countExits(reason, exits[reason]);
    return registry;
  }

  #fail(err: unknown): void {
    this.#options.onError(err instanceof Error ? err : new Error(String(err)));
  }
}
