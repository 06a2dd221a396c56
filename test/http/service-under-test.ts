import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { readConfig } from '../../src/config';
import type Koa from 'koa';
import type { Service } from '../../src/http/define-service';
import { type StartedService, startService } from '../../src/http/start-service';
import { Server } from '../../src/server/http-server';
import type { Format } from '../../src/metrics/exposition/gatherer';
import { RequestMetrics } from '../../src/metrics/request-metrics';
import type { Answer } from '../support/answer-parser';
import { type RequestOptions, request } from '../support/exchange';
import { handlers as greetings } from '../fixtures/greetings/handlers';

const GREETINGS = join(__dirname, '../fixtures/greetings/swagger.yaml');

interface ServiceOptions extends Partial<Omit<Service, 'description'>> {
  /** Paths of an API description to serve in place of the greetings. */
  readonly paths?: object;
  readonly components?: object;
  /** Further fields at the root of the description. */
  readonly root?: object;
  readonly env?: Readonly<Record<string, string>>;
  readonly gather?: (format: Format) => Promise<Buffer>;
  readonly workers?: () => Promise<Buffer>;
  readonly accepting?: () => boolean;
}

/** Lines of the log, parsed. */
type LogLine = Readonly<Record<string, unknown>>;

const running: ServiceUnderTest[] = [];

/** A service behind its own server, on a free port of the loopback. */
export class ServiceUnderTest {
  readonly log: LogLine[] = [];
  readonly metrics = new RequestMetrics([0.1, 1]);
  #started: StartedService | undefined;
  #server: Server | undefined;
  #port = 0;

  /** Starts a service. `ServiceUnderTest.closeAll()` ends it, to be called after the tests. */
  static async start(options: ServiceOptions = {}): Promise<ServiceUnderTest> {
    const service = new ServiceUnderTest();
    await service.#start(options);
    running.push(service);
    return service;
  }

  async #start({
    paths,
    components,
    root,
    env,
    gather = () => Promise.resolve(Buffer.alloc(0)),
    workers,
    accepting = () => true,
    handlers,
    ...service
  }: ServiceOptions): Promise<void> {
    const config = readConfig({ ACCESS_LOG: 'off', ...env });
    const served = paths
      ? { description: describeApi(paths, components, root), handlers: handlers ?? {} }
      : { description: GREETINGS, handlers: handlers ?? greetings };
    const write = (line: string) => this.log.push(JSON.parse(line) as LogLine);
    const log = pino({ level: 'debug' }, { write });
    const host = { config, log, metrics: this.metrics, gather, ...(workers && { workers }), accepting };
    this.#started = await startService({ ...served, ...service }, host);
    this.#server = new Server(this.#started.listener, this.metrics, config);
    ({ port: this.#port } = await this.#server.listen({ port: 0, host: '127.0.0.1' }));
  }

  /** The app, for supertest. */
  get app(): Koa {
    if (!this.#started) throw new Error('The service is not started');
    return this.#started.app;
  }

  /** Drains the server and stops the service. */
  async close(timeoutMs = 0): Promise<void> {
    if (this.#server) await this.#started?.end(this.#server, { timeoutMs, graceMs: 0 });
  }

  get port(): number {
    return this.#port;
  }

  /** The endpoints that have been counted, each with the status of each count. */
  get counted(): [string, number][] {
    return this.metrics.rows.map(({ labels }) => [labels.endpoint, labels.status]);
  }

  request(path: string, options?: RequestOptions): Promise<Answer> {
    return request(this.#port, path, options);
  }

  /** Posts JSON. */
  post(path: string, value: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const body = typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value);
    return this.request(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body,
    });
  }

  static async closeAll(): Promise<void> {
    await Promise.all(running.splice(0).map((service) => service.close()));
  }
}

/** The JSON of an answer. */
export function json(answer: Answer): Record<string, unknown> {
  return JSON.parse(answer.body.toString()) as Record<string, unknown>;
}

/** Writes an API description with these paths and returns the name of its file, which is gone when the process is. */
export function describeApi(paths: object, components: object = {}, root: object = {}): string {
  return describeText(
    stringify({ openapi: '3.1.0', info: { title: 'Test', version: '1' }, paths, components, ...root }),
  );
}

const folder = mkdtempSync(join(tmpdir(), 'description-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
let files = 0;

export function describeText(text: string): string {
  const file = join(folder, `${(files += 1)}.yaml`);
  writeFileSync(file, text);
  return file;
}

/** An operation with this id that answers any JSON. */
export function operation(operationId: string, more: object = {}): object {
  return {
    operationId,
    responses: { 200: { description: 'Anything.', content: { 'application/json': { schema: {} } } } },
    ...more,
  };
}
