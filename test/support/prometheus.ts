import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { eventually } from './eventually';
import { freePort } from './service';

/** A series of an answer: its labels, and its values as [epoch seconds, value]. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, number])[];
}

interface Answer<T> {
  readonly status: string;
  readonly error?: string;
  readonly data: T;
}

interface RawSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

interface PrometheusOptions {
  /** Default: the one that is installed. */
  readonly program?: string;
  /** Default: none. */
  readonly features?: readonly string[];
}

/** An exemplar as the HTTP API gives it. */
export interface FoundExemplar {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: string;
  readonly timestamp: number;
}

/**
 * A real Prometheus on a free port of 127.0.0.1 with a data folder of its own. It runs the committed prometheus.yml and
 * rules, with another target and shorter intervals.
 */
export class Prometheus {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #url: string;
  #log = '';

  private constructor(child: ChildProcess, folder: string, port: number) {
    this.#child = child;
    this.#folder = folder;
    this.#url = `http://127.0.0.1:${port}`;
    child.stderr?.on('data', (chunk: Buffer) => (this.#log += chunk.toString()));
  }

  /** Starts Prometheus. Resolves when it serves queries. */
  static async start(
    configFile: string,
    target: string,
    interval: string,
    { program = 'prometheus', features = [] }: PrometheusOptions = {},
  ): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'prometheus-test-'));
    const config = parse(readFileSync(configFile, 'utf8'));
    config.global = { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval };
    config.rule_files = config.rule_files.map((file: string) => resolve(configFile, '..', file));
    config.scrape_configs[0].static_configs = [{ targets: [target] }];
    writeFileSync(join(folder, 'prometheus.yml'), stringify(config));
    const port = await freePort();
    const child = spawn(
      program,
      [
        ...(features.length > 0 ? [`--enable-feature=${features.join(',')}`] : []),
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=debug',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const prometheus = new Prometheus(child, folder, port);
    try {
      await eventually(
        'Prometheus is ready',
        30_000,
        async () => (await fetch(`${prometheus.#url}/-/ready`)).ok,
      );
      return prometheus;
    } catch (cause) {
      await prometheus.dispose();
      throw new Error(prometheus.#log, { cause });
    }
  }

  /** The current value of each series. */
  async query(promql: string): Promise<Series[]> {
    const { result } = await this.#get<{ result: RawSeries[] }>('query', { query: promql });
    return result.map(toSeries);
  }

  /** The value of the one series that the query has. */
  async value(promql: string): Promise<number> {
    const [series, ...others] = await this.query(promql);
    const value = series?.values[0]?.[1];
    if (value === undefined || others.length > 0) throw new Error(`not one series: ${promql}`);
    return value;
  }

  /** Values over time; `start` and `end` in epoch seconds, `step` in seconds. */
  async queryRange(promql: string, start: number, end: number, step: number): Promise<Series[]> {
    const range = { start: String(start), end: String(end), step: String(step) };
    const { result } = await this.#get<{ result: RawSeries[] }>('query_range', { query: promql, ...range });
    return result.map(toSeries);
  }

  /** The exemplars of the series of a query that were scraped within the last minutes. */
  async exemplars(query: string): Promise<FoundExemplar[]> {
    const now = Date.now() / 1000;
    const range = { query, start: String(now - 600), end: String(now + 60) };
    const series = await this.#get<{ exemplars: FoundExemplar[] }[]>('query_exemplars', range);
    return series.flatMap(({ exemplars }) => exemplars);
  }

  /** The values that a label has in the series that match. */
  labelValues(label: string, match: string): Promise<string[]> {
    return this.#get<string[]>(`label/${label}/values`, { 'match[]': match });
  }

  /** Rules that Prometheus could not evaluate, with the reason, and alerts that fire. */
  async rules(): Promise<{ broken: string[]; firing: string[]; evaluated: number }> {
    interface Rule {
      readonly name: string;
      readonly health: string;
      readonly lastError?: string;
      readonly state?: string;
    }
    const { groups } = await this.#get<{ groups: { rules: Rule[] }[] }>('rules', {});
    const rules = groups.flatMap((group) => group.rules);
    return {
      broken: rules.flatMap(({ name, health, lastError }) =>
        health === 'err' ? [`${name}: ${lastError}`] : [],
      ),
      firing: rules.flatMap(({ name, state }) => (state === 'firing' ? [name] : [])),
      evaluated: rules.filter(({ health }) => health === 'ok').length,
    };
  }

  /** Returns the lines that Prometheus logged about failed scrapes. */
  scrapeErrors(): string[] {
    return this.#log.split('\n').filter((line) => line.includes('Scrape failed'));
  }

  /** Ends it and removes its data. */
  async dispose(): Promise<void> {
    this.#child.kill('SIGKILL');
    await eventually(
      'end of Prometheus',
      5000,
      () => this.#child.exitCode !== null || this.#child.signalCode !== null,
    );
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #get<T>(path: string, parameters: Record<string, string>): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
    // The shape is that of Prometheus' HTTP API.
    const answer = (await response.json()) as Answer<T>;
    if (answer.status !== 'success') throw new Error(`${answer.error}: ${parameters['query'] ?? path}`);
    return answer.data;
  }
}

function toSeries({ metric, value, values = value ? [value] : [] }: RawSeries): Series {
  return { metric, values: values.map(([time, text]) => [time, Number(text)] as const) };
}
