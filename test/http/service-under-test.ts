import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { readConfig } from '../../src/config';
import type { Middleware } from 'koa';
import { createApp } from '../../src/http/app';
import { type Contract, loadContract } from '../../src/http/contract';
import { handlers as ownHandlers } from '../../src/generated/handlers';
import type { Handlers } from '../../src/http/handler';
import { Server } from '../../src/server/http-server';
import type { Format } from '../../src/metrics/exposition/gatherer';
import { RequestMetrics } from '../../src/metrics/request-metrics';
import type { Answer } from '../support/answer-parser';
import { type RequestOptions, request } from '../support/exchange';

const OWN = join(__dirname, '../../swagger/swagger.yaml');

interface ServiceOptions {
  /** Paths of an API description to serve in place of the service's own. */
  readonly paths?: object;
  readonly components?: object;
  readonly handlers?: Handlers;
  readonly env?: Readonly<Record<string, string>>;
  readonly middleware?: readonly Middleware[];
  readonly gather?: (format: Format) => Promise<Buffer>;
  readonly ready?: () => boolean;
}

/** Lines of the log, parsed. */
type LogLine = Readonly<Record<string, unknown>>;

const running: ServiceUnderTest[] = [];

/** The app behind the service's own server, on a free port of the loopback. */
export class ServiceUnderTest {
  readonly log: LogLine[] = [];
  readonly metrics = new RequestMetrics([0.1, 1]);
  readonly app: ReturnType<typeof createApp>;
  readonly #server: Server;
  #port = 0;

  private constructor(options: ServiceOptions) {
    const config = readConfig({ ...options.env });
    this.app = createApp({
      config,
      log: pino({ level: 'debug' }, { write: (line: string) => this.log.push(JSON.parse(line) as LogLine) }),
      contract: contractOf(options),
      middleware: options.middleware ?? [],
      metrics: this.metrics,
      gather: options.gather ?? (() => Promise.resolve(Buffer.alloc(0))),
      ready: options.ready ?? (() => true),
    });
    const handle = this.app.callback();
    this.#server = new Server((req, res) => void handle(req, res), this.metrics, config);
  }

  /** It ends with `ServiceUnderTest.closeAll()`, to be called after the tests. */
  static async start(options: ServiceOptions = {}): Promise<ServiceUnderTest> {
    const service = new ServiceUnderTest(options);
    running.push(service);
    ({ port: service.#port } = await service.#server.listen(0, '127.0.0.1'));
    return service;
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
    await Promise.all(
      running.splice(0).map((service) => service.#server.drain({ timeoutMs: 0, graceMs: 0 })),
    );
  }
}

let own: Contract | undefined;

function contractOf({ paths, components, handlers = {} }: ServiceOptions): Contract {
  if (!paths) return (own ??= loadContract({ description: OWN, handlers: ownHandlers }));
  return loadContract({ description: describeApi(paths, components), handlers });
}

/** The JSON of an answer. */
export function json(answer: Answer): Record<string, unknown> {
  return JSON.parse(answer.body.toString()) as Record<string, unknown>;
}

/** Writes an API description with these paths and returns the name of its file, which is gone when the process is. */
export function describeApi(paths: object, components: object = {}): string {
  return describeText(
    stringify({ openapi: '3.1.0', info: { title: 'Test', version: '1' }, paths, components }),
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
