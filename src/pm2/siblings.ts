import { randomInt } from 'node:crypto';
import { Registry } from 'prom-client';
import type { Config } from '../config.js';
import { addUp, toSnapshot } from '../metrics/exposition/add-up.js';
import { appendMissingWorkers } from '../metrics/exposition/text-format.js';
import { MergedMetrics, MetricSource, type Live } from '../metrics/exposition/merged-metrics.js';
import { oneAtATime } from '../metrics/exposition/one-at-a-time.js';
import { RequestSource, RequestTotals } from '../metrics/exposition/request-totals.js';
import { ownSeries } from '../metrics/service-metrics.js';
import { Slices } from '../metrics/exposition/slices.js';
import { takeSnapshot, type Snapshot } from '../metrics/snapshot/snapshot.js';
import { TextBuffer } from '../metrics/exposition/text-buffer.js';
import type { WorkerState } from '../cluster/worker-record.js';
import { registerWorkerExits, registerWorkers } from '../metrics/supervision-metrics.js';
import { EXIT_REASONS, type ExitReason } from '../cluster/restart-policy.js';
import { type Archive, countsOf, SiblingArchive } from './sibling-archive.js';
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
export class Siblings {
  state: WorkerState = 'starting';
  readonly id: number;
  readonly #options: SiblingsOptions;
  readonly #archive: SiblingArchive;
  #exit: ExitReason | undefined;
  /** One after the other: a report that is kept later than another must not be older. */
  readonly #speak = oneAtATime(() => this.#report());
  /** The exposition of all instances, complete as of the call. */
  readonly gather = oneAtATime(() => this.#gather());

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
    this.#archive = new SiblingArchive(options.folder);
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
    const report: Report = { state, slot, snapshot: await snapshot(), ...exit };
    const text = JSON.stringify(report);
    try {
      if (state !== 'starting') writeReport(folder.report(this.id), text);
    } catch (err) {
      this.#fail(err);
    }
    return text;
  }

  async #gather(): Promise<Buffer> {
    const found = await this.#askAll();
    try {
      this.#archive.fold(found.gone);
    } catch (err) {
      this.#fail(err);
    }
    // Before the archive is read: whoever is folded in the meantime is in that, and is left out here.
    const present = found.ids.map((id) => ({ id, counts: this.#counts(id, found) }));
    const archive = this.#archive.read();
    const counted = present.filter(({ id }) => !archive.folded.includes(id));
    const total = addUp(
      archive.counts,
      counted.map(({ counts }) => counts),
    );
    return this.#render(toSnapshot(total), archive, found);
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

  #counts(id: number, { answered }: Found): Snapshot {
    const { folder } = this.#options;
    return countsOf(folder, id, answered.get(id) ?? readReport(folder.report(id)));
  }

  async #render(total: Snapshot, archive: Archive, { ids, gone, answered }: Found): Promise<Buffer> {
    const { metricsPrefix, metricsBuckets, metricsPerWorker } = this.#options.config;
    const requests = new RequestTotals(metricsPrefix, metricsBuckets);
    const metrics = new MergedMetrics(ownSeries(metricsPrefix));
    const source = new RequestSource();
    for (const { labels, cells } of total.rows)
      requests.add(source, requests.indexOf(labels), Float64Array.from(cells), 0);
    metrics.add(new MetricSource(), total);
    const own = await takeSnapshot(this.#serviceMetrics(archive, [...answered.values()]), []);
    metrics.add(new MetricSource(), own);
    const live: Live[] = [...answered.values()].map(({ snapshot, slot }) =>
      metricsPerWorker ? { snapshot, slot } : { snapshot },
    );
    const text = new TextBuffer();
    const slices = await Slices.begin();
    await requests.render(text, slices);
    appendMissingWorkers(text, metricsPrefix, ids.length - gone.length - answered.size);
    await metrics.render([{ snapshot: own }, ...live], text, slices);
    return text.bytes;
  }

  /** What the primary counts where there is one. */
  #serviceMetrics({ exits }: Archive, reports: readonly Report[]): Registry {
    const registry = new Registry();
    const { metricsPrefix } = this.#options.config;
    const counts = { starting: 0, ready: 0, draining: 0 };
    for (const { state } of reports) counts[state] += 1;
    // How many there should be is for PM2 to know, which can be told another number at any time.
    registerWorkers(registry, metricsPrefix, 0, () => counts);
    const countExits = registerWorkerExits(registry, metricsPrefix);
    for (const reason of EXIT_REASONS) countExits(reason, exits[reason]);
    return registry;
  }

  #fail(err: unknown): void {
    this.#options.onError(err instanceof Error ? err : new Error(String(err)));
  }
}
