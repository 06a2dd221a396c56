import { Service, type ServiceOptions } from '../support/service';
import { type ScrapeTotals, Scraper } from './scraper';

/** The service gathers at most once in this time. */
export const GATHERING_INTERVAL_MS = 250;

export interface Check {
  readonly id: string;
  readonly stimulus: string;
  readonly figure: string;
  readonly bar: string;
  readonly result: 'passed' | 'failed' | 'slow' | 'not run';
}

/** A fault, which makes one or a few rows of the table. */
export interface FaultCase {
  readonly id: string;
  /** Whether the case mostly waits, so that other cases can run meanwhile. */
  readonly background?: boolean;
  run(context: Context): Promise<void>;
}

interface Shared {
  readonly short: boolean;
  readonly checks: Check[];
  /** The findings of the scrapers of all cases. */
  readonly scrapes: ScrapeTotals;
}

/** The tools of a case: the length of the run, and the table for its figures. */
export class Context {
  readonly id: string;
  readonly short: boolean;
  readonly scrapes: ScrapeTotals;
  readonly #checks: Check[];

  constructor(id: string, { short, checks, scrapes }: Shared) {
    this.id = id;
    this.short = short;
    this.scrapes = scrapes;
    this.#checks = checks;
  }

  /** Returns the number of repetitions: in the full run, or in the short one. */
  times(full: number, short: number): number {
    return this.short ? short : full;
  }

  check(stimulus: string, figure: string, bar: string, passed: boolean): void {
    this.#add({ id: this.id, stimulus, figure, bar, result: passed ? 'passed' : 'failed' });
  }

  /**
   * A bar on time. The short run is for machines that nobody keeps quiet: there it tells what was slow, and fails for
   * what is wrong.
   */
  checkSpeed(stimulus: string, figure: string, bar: string, fast: boolean, correct = true): void {
    const slow = this.short ? 'slow' : 'failed';
    this.#add({ id: this.id, stimulus, figure, bar, result: correct ? (fast ? 'passed' : slow) : 'failed' });
  }

  /** Notes a case that this machine cannot run. It is in the table, and is not a pass. */
  notRun(stimulus: string, reason: string): void {
    this.#add({ id: this.id, stimulus, figure: reason, bar: '', result: 'not run' });
  }

  /** A service whose handlers misbehave on request: test/fixtures/service.js. */
  async faulty(env: Readonly<Record<string, string>> = {}, options: ServiceOptions = {}): Promise<Service> {
    const service = await Service.start({ program: 'test/fixtures/service.js', ...options, env });
    if (options.readyMs !== 0) await service.allReady(Number(env['WEB_CONCURRENCY'] ?? 2));
    return service;
  }

  /** Starts to scrape the service every 100 ms; what it sees goes into the totals. */
  scraper(service: Service): Scraper {
    return new Scraper(service, this.scrapes);
  }

  #add(check: Check): void {
    this.#checks.push(check);
    const mark = { passed: '  ok  ', failed: 'MISSED', slow: ' slow ', 'not run': '  --  ' }[check.result];
    const bar = check.bar === '' ? '' : ` (bar: ${check.bar})`;
    console.log(`${mark} ${check.id}  ${check.stimulus}: ${check.figure.trimEnd()}${bar}`);
  }
}
