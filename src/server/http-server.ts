import http, { type RequestListener } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { MeasuredResponse, measuredResponse } from './measured-response.js';
import type { RequestMetrics } from '../metrics/request-metrics.js';
import { attach, type ConnectionHandle, detach, readNow } from './connection-handle.js';
import {
  MAX_HEADER_FIELDS,
  refusalOfRequest,
  refuseClientError,
  refuseConnect,
  refuseRequest,
} from './refusals.js';

/** A header is small: one that takes longer is an attack, or a broken client. */
const HEADERS_TIMEOUT_MS = 10_000;

const FIXED = {
  connectionsCheckingInterval: 1_000,
  // Two Host fields become one value with a comma in it, which is refused; by default Node drops the second.
  joinDuplicateHeaders: true,
} as const;

/** Of a connection: never the number of bytes that were read. */
const USED = -1;

/** See the fields of the same names in `Config`. */
export interface ServerLimits {
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxHeaderSize: number | undefined;
}

/** How often a draining server looks for connections that have become idle. */
const SWEEP_MS = 50;

/** Of connections that are handed over one after the other: a request on the last one waits for the others. */
const HAND_OVER_AT_ONCE = 100;

export interface DrainOptions {
  /** When what is still open is cut off. */
  readonly timeoutMs: number;
  /** For so long a connection on which nothing happens stays open, so that a request that is on its way is answered. */
  readonly graceMs: number;
  /**
   * Sends a connection on which nothing is under way to another process, and resolves when it is on its way: its client
   * notices nothing. Without it such connections are closed after the grace.
   */
  readonly handOver?: (connection: ConnectionHandle) => Promise<void>;
}

/** An HTTP server that counts all that it answers, and that can stop without failing a request. */
export class Server {
  readonly http: http.Server;
  readonly #sockets = new Set<Socket>();
  /** Those of another process before, with what had been read then; and those that Node does not know to be used. */
  readonly #adopted = new WeakMap<Socket, number>();
  readonly #keepAliveTimeoutMs: number;
  /** The next answer on each connection is to be its last. */
  #closing = false;

  constructor(handler: RequestListener, metrics: RequestMetrics, limits: ServerLimits) {
    this.#keepAliveTimeoutMs = limits.keepAliveTimeoutMs;
    this.http = http.createServer({
      ...FIXED,
      ...optionsOf(limits),
      ServerResponse: measuredResponse(metrics, () => this.#closing),
    });
    // Node drops the fields above this number and says nothing; one more than allowed is enough to notice.
    this.http.maxHeadersCount = MAX_HEADER_FIELDS + 1;
    const onRequest: RequestListener = (req, res) => {
      const refusal = refusalOfRequest(req);
      if (refusal) return refuseRequest(res, refusal);
      handler(req, res);
    };
    this.http.on('request', onRequest);
    // Reading the body sends the 100, so that a body which is refused by its header is never sent.
    this.http.on('checkContinue', onRequest);
    this.http.on('connect', (_req: http.IncomingMessage, socket: Socket) => refuseConnect(socket, metrics));
    this.http.on('clientError', (error, socket) => {
      if (isTimeout(error) && this.#adopted.has(socket as Socket) && this.#isUnused(socket as Socket)) return;
      refuseClientError(error, socket as Socket, metrics, this.http.headersTimeout); // of a plain server, so it is a net.Socket
    });
    this.http.on('connection', (socket) => this.#track(socket));
  }

  /** Resolves when connections are accepted. Rejects with the cause, such as EADDRINUSE. */
  listen(port: number, host?: string): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.http.once('error', reject);
      this.http.listen({ port, host }, () => {
        this.http.off('error', reject);
        resolve(this.http.address() as AddressInfo); // a TCP server has no other
      });
    });
  }

  /** Serves a connection that another process has handed over. */
  adopt(connection: ConnectionHandle): void {
    const socket = attach(connection);
    this.#adopted.set(socket, socket.bytesRead);
    // To Node it is a new connection, whose first request has to come soon. It is an idle one, and may stay as long as any.
    const idle = setTimeout(() => {
      if (this.#isUnused(socket)) socket.destroy();
    }, this.#keepAliveTimeoutMs);
    socket.once('close', () => clearTimeout(idle));
    this.http.emit('connection', socket);
  }

  /**
   * Stops accepting, answers what is in flight and gives up every connection: quiet ones go to another process or are closed
   * after the grace, those that are busy for longer are closed with their response, what is left at the deadline then.
   * Resolves when none is left.
   */
  async drain({ timeoutMs, graceMs, handOver }: DrainOptions): Promise<void> {
    this.#closing = !handOver;
    const graceEnds = performance.now() + graceMs;
    const deadline = setTimeout(() => this.#cutOff(), timeoutMs);
    // Not http.Server's own close: that one destroys idle connections at once, and races their next request.
    net.Server.prototype.close.call(this.http);
    const watched: Watched = new Map();
    while (this.#sockets.size > 0) {
      if (handOver) await this.#handOverIdle(handOver);
      await this.#closeQuiet(watched, graceMs);
      if (this.#sockets.size > 0) await delay(SWEEP_MS);
      this.#closing ||= performance.now() > graceEnds;
    }
    clearTimeout(deadline);
  }

  async #handOverIdle(handOver: (connection: ConnectionHandle) => Promise<void>): Promise<void> {
    for (;;) {
      // At once, as any of them may get a request while others are sent.
      const handles = this.#idle()
        .slice(0, HAND_OVER_AT_ONCE)
        .flatMap((socket) => detach(socket) ?? []);
      if (handles.length === 0) return;
      for (const handle of handles) await handOver(handle);
    }
  }

  /** Connections with neither a request nor a part of one. Of a part only Node's own list knows, which it does not show. */
  #idle(): Socket[] {
    const idle: Socket[] = [...this.#sockets].filter((socket) => this.#isUnused(socket));
    for (const socket of this.#sockets) socket.destroy = () => (idle.push(socket), socket);
    this.http.closeIdleConnections();
    for (const socket of this.#sockets) delete (socket as Partial<Socket>).destroy;
    return idle.filter((socket) => !isBusy(socket) && !socket.destroyed);
  }

  /**
   * Closes each connection on which nothing has happened for the grace. One at a time, and each right after a poll for
   * input: what Node does, all at once from a timer, takes so long with hundreds of connections that requests arrive
   * on those whose turn is yet to come, and are cut off unread. What else the poll brought has been dealt with since, so there
   * is a last look.
   */
  async #closeQuiet(watched: Watched, graceMs: number): Promise<void> {
    for (const socket of this.#sockets) {
      const bytes = socket.bytesRead;
      const before = watched.get(socket);
      const now = performance.now();
      if (before?.bytes !== bytes || isBusy(socket)) watched.set(socket, { bytes, since: now });
      else if (now - before.since >= graceMs) {
        await setImmediate();
        if (socket.bytesRead !== bytes || isBusy(socket)) continue;
        if (!readNow(socket)) {
          socket.destroy();
          continue;
        }
        // Which Node does not count as read.
        watched.delete(socket);
        this.#adopted.set(socket, USED);
      }
    }
  }

  /** The client is not to blame for what it does not get: 503, unless a status has been sent. */
  #cutOff(): void {
    for (const socket of this.#sockets) {
      for (const response of MeasuredResponse.pending(socket)) {
        response.count(response.headersSent ? response.statusCode : 503);
      }
    }
    this.http.closeAllConnections();
  }

  /** Nothing has come on it yet. */
  #isUnused(socket: Socket): boolean {
    return socket.bytesRead === (this.#adopted.get(socket) ?? 0);
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      MeasuredResponse.closed(socket);
    });
  }
}

function optionsOf({
  requestTimeoutMs,
  keepAliveTimeoutMs,
  maxHeaderSize,
}: ServerLimits): http.ServerOptions {
  return {
    requestTimeout: requestTimeoutMs,
    // Node refuses one that is above the whole request's.
    headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeoutMs),
    keepAliveTimeout: keepAliveTimeoutMs,
    // Where it is left out, Node's own option holds.
    ...(maxHeaderSize !== undefined && { maxHeaderSize }),
  };
}

/** By connection: how much had been read when something last happened on it, and when that was. */
type Watched = Map<Socket, { readonly bytes: number; readonly since: number }>;

function isTimeout(error: NodeJS.ErrnoException): boolean {
  return error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
}

/** A request is being handled, or its answer is still on its way to the client. */
function isBusy(socket: Socket): boolean {
  return socket.writableLength > 0 || MeasuredResponse.pending(socket).length > 0;
}
