import { eventually } from '../support/eventually';
import { request } from '../support/exchange';
import { type Family, fallen, parseExposition, total } from '../support/exposition';
import type { Service } from '../support/service';

/** The findings of all scrapers together. Each list has one line for each fault. */
export interface ScrapeTotals {
  scrapes: number;
  slowestMs: number;
  readonly notOk: string[];
  /** Scrapes whose connection was closed without a byte while a process ended: the worker that had it was killed. */
  lostWithWorker: number;
  /** Scrapes that found the service's listener closing, or closed. */
  refusedAtEnd: number;
  readonly fell: string[];
  readonly deadGauges: string[];
}

export interface Scrape {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly families: ReadonlyMap<string, Family>;
}

/** Longer than it takes to end a worker that hangs: the scrapes that it has accepted are lost with it. */
const scrapeDeadlineMs = 20_000;

/** The sockets of a process may close so long before it is gone: its memory may have to be written out. */
const endOfProcessMs = 2000;

/** A gauge of a process may be seen for so long after its end: the scrape may have begun before. */
const deathGraceMs = 600;

/** A connection that nobody has accepted is reset when the listener closes; later ones are refused. */
function isRefused(cause: string): boolean {
  return isClosed(cause) || cause.includes('ECONNREFUSED');
}

function isClosed(cause: string): boolean {
  return /closed without an answer|ECONNRESET/.test(cause);
}

/** Scrapes a service every 100 ms, each time on a connection of its own, and compares each scrape with the one before. */
export class Scraper {
  latest: Scrape | undefined;
  readonly #service: Service;
  readonly #totals: ScrapeTotals;
  /** When each process of the service was last found alive. */
  readonly #lastAlive = new Map<number, number>();
  /** When the processes were last looked for. */
  #lookedAt = 0;
  readonly #timer: NodeJS.Timeout;
  #stopping = false;
  readonly #running = new Set<Promise<void>>();
  #closesAt = Infinity;

  constructor(service: Service, totals: ScrapeTotals) {
    this.#service = service;
    this.#totals = totals;
    this.#timer = setInterval(() => {
      this.#lookForProcesses();
      if (this.#stopping) return;
      const scrape = this.#scrape().finally(() => this.#running.delete(scrape));
      this.#running.add(scrape);
    }, 100);
  }

  /** Workers in the state `ready` by the latest scrape that began after `since`; undefined while there is none. */
  readySince(since: number): number | undefined {
    const { latest } = this;
    if (latest === undefined || latest.startedAt < since) return undefined;
    return total(latest.families, 'flask_app_workers', { state: 'ready' });
  }

  /** Allows scrapes to fail from this time on, because the service has been told to stop. */
  expectClosed(time: number): void {
    this.#closesAt = time;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#running);
    clearInterval(this.#timer);
  }

  #lookForProcesses(): void {
    this.#lookedAt = performance.now();
    for (const pid of this.#service.processes()) this.#lastAlive.set(pid, this.#lookedAt);
  }

  async #scrape(): Promise<void> {
    const startedAt = this.#lookedAt;
    this.#totals.scrapes += 1;
    try {
      const { status, body } = await request(this.#service.port, '/metrics', {
        deadlineMs: scrapeDeadlineMs,
      });
      this.#totals.slowestMs = Math.max(this.#totals.slowestMs, performance.now() - startedAt);
      if (status !== 200) throw new Error(`status ${status}: ${body.toString()}`);
      this.#compare({ startedAt, endedAt: performance.now(), families: parseExposition(body.toString()) });
    } catch (cause) {
      if (performance.now() >= this.#closesAt && isRefused(String(cause))) this.#totals.refusedAtEnd += 1;
      else if (await this.#endOfOne(startedAt, String(cause))) this.#totals.lostWithWorker += 1;
      else this.#totals.notOk.push(String(cause));
    }
  }

  /**
   * Tells whether the connection was closed because a process ended that had been alive since the scrape
   * began. Its sockets close before the process is gone.
   */
  async #endOfOne(startedAt: number, cause: string): Promise<boolean> {
    if (!isClosed(cause)) return false;
    const ended = eventually('the end of a process', endOfProcessMs, () =>
      [...this.#lastAlive.values()].some((alive) => alive >= startedAt && alive < this.#lookedAt),
    );
    return ended.catch(() => false);
  }

  #compare(scrape: Scrape): void {
    // A scrape that was overtaken by a later one has nothing to say about what falls, nor have two that overlap: which of
    // them was gathered first, nobody knows.
    if (this.latest !== undefined && this.latest.startedAt > scrape.startedAt) return;
    if (this.latest !== undefined && this.latest.endedAt <= scrape.startedAt)
      this.#totals.fell.push(...fallen(this.latest.families, scrape.families));
    this.latest = scrape;
    for (const { labels } of scrape.families.get('fixture_process')?.samples ?? []) {
      const lastAlive = this.#lastAlive.get(Number(labels['pid']));
      if (lastAlive !== undefined && scrape.startedAt - lastAlive > deathGraceMs)
        this.#totals.deadGauges.push(`pid ${labels['pid']}`);
    }
  }
}
