import type { Config } from '../config.js';
import { Slices } from '../metrics/event-loop-turns.js';
import { Aggregation } from '../metrics/aggregation/aggregation.js';
import type { Family } from '../metrics/aggregation/families.js';
import type { Live } from '../metrics/aggregation/family-totals.js';
import type { Gathered } from '../metrics/exposition/gathered.js';
import {
  type Exposition,
  type Format,
  type Gatherer,
  SharedGatherer,
} from '../metrics/exposition/gatherer.js';
import { LedgerSource } from '../metrics/aggregation/ledger-source.js';
import { monotonicTime } from '../metrics/exposition/monotonic-time.js';
import { familiesOf, missingWorkers } from '../metrics/exposition/own-families.js';
import type { Foreseen } from '../metrics/foreseen.js';
import { ownSeries, SERVICE_METRICS } from '../metrics/metric-catalogue.js';
import { type Archive, CountArchive, EMPTY } from '../metrics/service-folder/archive.js';
import { askProcess, GONE } from '../metrics/service-folder/process-socket.js';
import {
  laterReport,
  readReport,
  type Report,
  ReportReader,
} from '../metrics/service-folder/process-report.js';
import { errorOf } from '../thrown.js';
import { instanceMetrics } from './instance-metrics.js';
import { OwnReport, type OwnReportOptions } from './own-report.js';

export interface SiblingsOptions extends OwnReportOptions {
  readonly config: Pick<Config, 'metricsPrefix' | 'metricsBuckets' | 'metricsPerWorker' | 'metricsKeep'>;
  /**
   * Called with the name of a metric that begins anew, because a younger instance
   * has another definition of it.
   */
  readonly onRedefined: (name: string) => void;
  /** Resolves with the number of instances that should run, 0 if that is unknown. Never rejects. */
  readonly wanted: () => Promise<number>;
  /** Called when somebody has removed the folder; it is made anew. */
  readonly onRemoved: () => void;
  /** Called with a message about counts that have to begin anew. */
  readonly onLoss: (message: string) => void;
  /** Milliseconds that a sibling may take to answer a scrape. Default 500. */
  readonly timeoutMs?: number;
}

/** The result of asking all instances. */
interface Found {
  /** The ids of all instances with files in the folder, alive or not. */
  readonly ids: readonly number[];
  readonly gone: readonly number[];
  readonly answered: ReadonlyMap<number, Report>;
}

/** The state that this instance keeps of another one. */
interface Sibling {
  readonly reader: ReportReader;
  /** The source of its counts, made when its first report or ledger is read. */
  source?: LedgerSource;
  /** Its last report that was read. The file can be older: a full disk keeps it as it was. */
  last?: Report;
}

/**
 * The instances of an app in PM2's cluster mode, where none of them is the primary. Each can answer a scrape
 * for all: request counts come from the ledgers, all other metrics from the report of each instance, and the
 * counts of ended instances from an archive. The first one to notice an end adds the counts to the archive.
 */
export class Siblings implements Gatherer {
  /** This instance, as it tells the others of itself. */
  readonly own: OwnReport;
  readonly #options: SiblingsOptions;
  readonly #archive: CountArchive;
  #foreseen: readonly Foreseen[] = [];
  readonly #aggregation: Aggregation;
  readonly #siblings = new Map<number, Sibling>();
  readonly #shared: SharedGatherer;
  /** The instances that had ended before this one came. */
  #left: readonly number[] = [];
  /** The archive whose counts are in the aggregation. */
  #archived: Archive | undefined;

  /**
   * Joins the instances: from now on the others can ask this one, and will read the files that it leaves. The
   * first one to come, when no other is alive, begins a new archive. Rejects when the folder cannot be used.
   */
  static async join(options: SiblingsOptions): Promise<Siblings> {
    const siblings = new Siblings(options);
    await siblings.own.listen();
    await siblings.#meet();
    options.folder.watch(options.folder.socket(siblings.own.id), () => void siblings.#restore());
    return siblings;
  }

  private constructor(options: SiblingsOptions) {
    this.#options = options;
    this.own = new OwnReport(options);
    const { metricsPrefix: prefix, metricsBuckets: buckets } = options.config;
    this.#archive = new CountArchive({
      folder: options.folder,
      buckets,
      onLoss: options.onLoss,
      lastReport: (id) => this.#siblings.get(id)?.last,
    });
    const { workers, workerExits } = SERVICE_METRICS;
    const reserved = [...ownSeries(prefix), prefix + workers.name, prefix + workerExits.name];
    this.#aggregation = new Aggregation({ buckets, reserved, onRedefined: options.onRedefined });
    this.#shared = new SharedGatherer({ prefix, buckets }, (detailed) => this.#collect(detailed));
  }

  /** Makes the exposition of all instances, complete as of the call. */
  gather(format?: Format): Promise<Exposition> {
    return this.#shared.gather(format);
  }

  /** Sets the series that this instance foresees. Called before it serves. */
  foresee(series: readonly Foreseen[]): void {
    this.#foreseen = series;
  }

  /**
   * Takes over the counts of ended instances. To be called when this one is ready, which does not wait for
   * it.
   */
  async takeOver(gone = this.#left): Promise<void> {
    try {
      await this.#archive.fold(gone);
    } catch (err) {
      this.#fail(err);
    }
  }

  /**
   * Writes the files anew after somebody has removed the folder, which is there
   * again. The ledger renews itself.
   */
  async #restore(): Promise<void> {
    this.#options.onRemoved();
    try {
      if (this.#archived) this.#archive.restore(this.#archived);
      await this.own.listen();
      await this.own.write();
    } catch (err) {
      this.#fail(err);
    }
  }

  async #meet(): Promise<void> {
    // The first instance notes when the service began: the next ones have to tell the same start.
    this.#archive.restore(EMPTY);
    const { metricsKeep: keep } = this.#options.config;
    const before = keep ? EMPTY : this.#archive.read();
    const { ids, gone, answered } = await this.#askAll();
    const isUp = (id: number) => !gone.includes(id) && answered.get(id)?.state !== 'starting';
    if (keep || ids.some(isUp)) this.#left = gone;
    else await this.#archive.reset(before, gone);
  }

  async #collect(detailed: boolean): Promise<Gathered> {
    const asOf = monotonicTime();
    const { metricsPrefix: prefix } = this.#options.config;
    const [found, wanted] = await Promise.all([this.#askAll(), this.#options.wanted()]);
    await this.takeOver(found.gone);
    const slices = await Slices.begin();
    const archive = this.#readArchive();
    // All instances foresee the same series, so those of this one are enough.
    this.#aggregation.foresee(this.#foreseen, archive.since ?? Date.now());
    this.#foreseen = [];
    // A sibling that has not yet made its removed files anew goes on counting in those that are open here.
    for (const id of new Set([...found.ids, ...this.#siblings.keys()])) {
      // The archive already has the counts of an instance that was folded in the meantime.
      if (!archive.folded.includes(id)) await this.#read(id, found, slices, detailed);
    }
    const requests = await this.#aggregation.requests(slices, detailed);
    const answered = [...found.answered.values()];
    const silent = found.ids.length - found.gone.length - answered.length;
    const others = Promise.all([
      familiesOf(instanceMetrics(prefix, archive.exits, answered, wanted - silent), archive.since),
      this.#families(answered, silent, slices),
      this.#aggregation.counters(slices),
    ]);
    return { asOf, requests, others };
  }

  /** Replaces the counts of ended instances by the archive, if it has changed. */
  #readArchive(): Archive {
    const archive = this.#wholeArchive();
    if (archive === this.#archived) return archive;
    this.#archived = archive;
    for (const id of archive.folded) {
      const source = this.#siblings.get(id)?.source;
      this.#siblings.delete(id);
      if (!source) continue;
      this.#aggregation.forget(source);
      source.close();
    }
    this.#aggregation.gone = archive.counts;
    return archive;
  }

  /**
   * Reads the archive, to which an instance that made a removed folder anew may have put less than is known
   * here.
   */
  #wholeArchive(): Archive {
    const known = this.#archived;
    const there = this.#archive.read();
    if (!known || there === known) return there;
    try {
      this.#archive.restore(known);
    } catch (err) {
      this.#fail(err);
      return known;
    }
    return this.#archive.read();
  }

  async #read(id: number, { answered }: Found, slices: Slices, detailed: boolean): Promise<void> {
    const sibling = this.#sibling(id);
    const read = answered.get(id) ?? readReport(this.#options.folder.report(id), sibling.reader);
    const report = laterReport(sibling.last, read);
    const source = (sibling.source ??= this.#source(id, report));
    await source.readLedger(this.#aggregation, slices, detailed);
    // An instance writes no report before it is ready: values that were shown now would be missing if it
    // did not answer the next scrape.
    if (!report || report.state === 'starting') return;
    sibling.last = report;
    this.#aggregation.read(source, report.snapshot);
  }

  #sibling(id: number): Sibling {
    let sibling = this.#siblings.get(id);
    if (!sibling) this.#siblings.set(id, (sibling = { reader: new ReportReader() }));
    return sibling;
  }

  #source(id: number, report: Report | undefined): LedgerSource {
    const { folder, config } = this.#options;
    const { metricsBuckets: buckets } = config;
    return new LedgerSource({ folder: folder.path, id, buckets, birth: report?.birth ?? 0 });
  }

  /** Tells whether an instance runs by its ledger; false if it has none. */
  #isRunning(id: number): boolean {
    const source = this.#source(id, undefined);
    const { isRunning } = source;
    source.close();
    return isRunning;
  }

  async #askAll(): Promise<Found> {
    const { folder, timeoutMs = 500 } = this.#options;
    const ids = folder.ids();
    const answered = new Map<number, Report>();
    const gone: number[] = [];
    const ask = async (id: number): Promise<void> => {
      const answer =
        id === this.own.id ? await this.own.write() : await askProcess(folder.socket(id), timeoutMs);
      const report = typeof answer === 'string' ? this.#sibling(id).reader.read(answer) : undefined;
      if (report) answered.set(id, report);
      // Where the folder was made anew, an instance can have its ledger again before its socket.
      else if (answer === GONE && !this.#isRunning(id)) gone.push(id);
    };
    await Promise.all(ids.map(ask));
    return { ids, gone, answered };
  }

  async #families(answered: readonly Report[], silent: number, slices: Slices): Promise<readonly Family[]> {
    const { metricsPrefix, metricsPerWorker } = this.#options.config;
    const live = answered.map(({ snapshot, slot }): Live =>
      metricsPerWorker ? { snapshot, slot } : { snapshot },
    );
    return [missingWorkers(metricsPrefix, silent), ...(await this.#aggregation.families(live, slices))];
  }

  #fail(err: unknown): void {
    this.#options.onError(errorOf(err));
  }
}
