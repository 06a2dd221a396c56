import { chmodSync, rmSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LOG_LEVELS, type LogLevel } from '../../config.js';
import type { PrimaryMessage } from '../messages.js';
import type { ServiceIdentity, ServiceStatus } from './service-status.js';
import { messageOf } from '../../thrown.js';

/** The actions that the socket offers. */
export interface Controls {
  identity(): ServiceIdentity;
  status(): Promise<ServiceStatus>;
  /** Resolves when the reload is over, with the reason if it did not happen. */
  reload(): Promise<string | undefined>;
  /** Sets the level of this process and all its workers, later ones included. */
  setLogLevel(level: LogLevel): void;
  /** Returns a living worker by its number or its pid. */
  find(worker: number): Addressee | undefined;
}

interface Addressee {
  readonly generation: number;
  readonly process: { send(message: PrimaryMessage): void };
}

/** Returns the path of the socket in the service's folder. */
export function controlSocketPath(folder: string): string {
  return join(folder, 'control.sock');
}

type Order = { readonly type: 'profile'; readonly seconds: number } | { readonly type: 'heap' };

const MAX_PROFILE_SECONDS = 600;

/**
 * Milliseconds that the snapshot of a large heap may take, and that a profile may take beyond its own time.
 */
const HEAP_MS = 600_000;
const PROFILE_MS = 30_000;

/** A request that is refused with 400. Any other error is a failure of the service, and a 500. */
class Refusal extends Error {}

/**
 * The primary's end of the `koa-cluster-metrics` commands: HTTP over a Unix socket that only the service's
 * user can open. A worker sends its profile or heap snapshot in a request of its own, which is passed on to
 * the waiting command in parts.
 */
export class ControlSocket {
  readonly #controls: Controls;
  readonly #path: string;
  readonly #server: http.Server;
  readonly #awaited = new Map<number, { readonly from: number; readonly res: ServerResponse }>();
  #deliveries = 0;

  constructor(folder: string, controls: Controls) {
    this.#controls = controls;
    this.#path = controlSocketPath(folder);
    // Node's limit of five minutes for a request would cut off a large heap snapshot.
    this.#server = http.createServer({ requestTimeout: 0 }, (req, res) => void this.#answer(req, res));
    // A connection that can't be accepted, because files are out, must not end the primary.
    this.#server.on('error', () => {});
  }

  /**
   * Resolves when clients can connect. Called again, it makes a new socket in place of a
   * removed one. Rejects if it cannot.
   */
  listen(): Promise<void> {
    this.#server.close();
    // A killed service leaves its socket behind. The folder is claimed, so the socket
    // belongs to no living service.
    rmSync(this.#path, { force: true });
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#path, () => {
        this.#server.off('error', reject);
        // An open command must not keep the primary alive.
        this.#server.unref();
        try {
          chmodSync(this.#path, 0o600);
          resolve();
        } catch (err) {
          reject(err);
        }
      });
    });
  }

  /** Fails the commands that wait for a worker which has ended. */
  workerGone(generation: number): void {
    for (const { from, res } of this.#awaited.values())
      if (from === generation) fail(res, 'The worker has ended.');
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      await this.#route(req, res, new URL(req.url ?? '', 'http://service'));
    } catch (err) {
      res.writeHead(err instanceof Refusal ? 400 : 500, { 'Content-Type': 'text/plain' });
      res.end(messageOf(err));
    }
  }

  async #route(req: IncomingMessage, res: ServerResponse, { pathname, searchParams }: URL): Promise<void> {
    const worker = wholeIn(searchParams, 'worker');
    switch (`${req.method} ${pathname}`) {
      case 'GET /service':
        return void res.end(JSON.stringify(this.#controls.identity()));
      case 'GET /status':
        return void res.end(JSON.stringify(await this.#controls.status()));
      case 'POST /reload': {
        const problem = await this.#controls.reload();
        if (problem !== undefined) throw new Refusal(problem);
        return void res.end();
      }
      case 'POST /log-level': {
        const level = LOG_LEVELS.find((name) => name === searchParams.get('level'));
        if (!level) throw new Refusal(`The level must be one of ${LOG_LEVELS.join(', ')}.`);
        if (worker === undefined) this.#controls.setLogLevel(level);
        else this.#find(worker).process.send({ type: 'log-level', level });
        return void res.end();
      }
      case 'POST /profile': {
        const seconds = Number(searchParams.get('seconds'));
        if (!(seconds > 0 && seconds <= MAX_PROFILE_SECONDS))
          throw new Refusal(`A profile takes more than 0 and at most ${MAX_PROFILE_SECONDS} seconds.`);
        return this.#order(res, worker, 1_000 * seconds + PROFILE_MS, { type: 'profile', seconds });
      }
      case 'POST /heap':
        return this.#order(res, worker, HEAP_MS, { type: 'heap' });
      default:
        return this.#deliver(req, res, Number(/^\/deliveries\/(\d+)$/.exec(pathname)?.[1]));
    }
  }

  #find(worker = 0): Addressee {
    const found = this.#controls.find(worker);
    if (!found) throw new Refusal(`There is no worker ${worker}: \`koa-cluster-metrics status\` shows them.`);
    return found;
  }

  /** Sends an order to a worker. The command waits until the worker delivers the result. */
  #order(res: ServerResponse, worker: number | undefined, deadlineMs: number, what: Order): void {
    const { generation, process } = this.#find(worker);
    const id = ++this.#deliveries;
    this.#awaited.set(id, { from: generation, res });
    const timer = setTimeout(() => fail(res, 'The worker does not answer.'), deadlineMs);
    res.on('close', () => {
      clearTimeout(timer);
      this.#awaited.delete(id);
    });
    process.send({ ...what, id, socket: this.#path });
  }

  async #deliver(req: IncomingMessage, res: ServerResponse, id: number): Promise<void> {
    const waiting = this.#awaited.get(id)?.res;
    if (!waiting) throw new Refusal('Nobody waits for this.');
    if (req.url?.endsWith('?failed') === true) waiting.statusCode = 500;
    await pipeline(req, waiting);
    res.end();
  }
}

function fail(res: ServerResponse, message: string): void {
  // After half an answer only a cut connection can tell the client that it is not the whole.
  if (res.headersSent) return void res.destroy();
  res.writeHead(500, { 'Content-Type': 'text/plain' });
  res.end(message);
}

function wholeIn(parameters: URLSearchParams, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,9}$/.test(text))
    throw new Refusal(`A worker is known by its number or pid, not by ${JSON.stringify(text)}.`);
  return Number(text);
}
