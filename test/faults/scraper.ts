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
  readonly #lastAlive = new Map<number, number>();
  readonly #timer: NodeJS.Timeout;
  readonly #running = new Set<Promise<void>>();
  #closesAt = Infinity;

  constructor(service: Service, totals: ScrapeTotals) {
    this.#service = service;
    this.#totals = totals;
    this.#timer = setInterval(() => {
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
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }

  async #scrape(): Promise<void> {
    const startedAt = performance.now();
    const pids = this.#service.processes();
    for (const pid of pids) this.#lastAlive.set(pid, startedAt);
    this.#totals.scrapes += 1;
    try {
      const { status, body } = await request(this.#service.port, '/metrics', { deadlineMs: 5000 });
      this.#totals.slowestMs = Math.max(this.#totals.slowestMs, performance.now() - startedAt);
      if (status !== 200) throw new Error(`status ${status}: ${body.toString()}`);
      this.#compare({ startedAt, endedAt: performance.now(), families: parseExposition(body.toString()) });
    } catch (cause) {
      if (performance.now() >= this.#closesAt && isRefused(String(cause))) this.#totals.refusedAtEnd += 1;
      else if (await this.#endOfOne(pids, String(cause))) this.#totals.lostWithWorker += 1;
      else this.#totals.notOk.push(String(cause));
    }
  }

  /**
   * Tells whether the connection was closed because one of the processes ended. Its sockets
   * close before the process is gone.
   */
  async #endOfOne(pids: readonly number[], cause: string): Promise<boolean> {
    if (!isClosed(cause)) return false;
    const ended = eventually('the end of a process', 500, () => {
      const left = new Set(this.#service.processes());
      return pids.some((pid) => !left.has(pid));
    });
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
