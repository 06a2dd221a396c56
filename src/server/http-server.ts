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
  refuseUnfinished,
} from './refusals.js';
import { removeStaleSocket, restrictSocket } from './unix-socket.js';

/** Milliseconds for a header. It is small: one that takes longer is an attack, or a broken client. */
const HEADERS_TIMEOUT_MS = 10_000;

const FIXED = {
  connectionsCheckingInterval: 1_000,
  // Two Host fields become one value with a comma in it, which is refused; by default Node drops the second.
  joinDuplicateHeaders: true,
} as const;

/** Marks an adopted connection as used; no `bytesRead` equals it. */
const USED = -1;

/** See the fields of the same names in `Config`. */
export interface ServerLimits {
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxHeaderSize: number | undefined;
}

/** See the fields of the same names in `Config`. */
interface Place {
  readonly listen: string | undefined;
  readonly listenMode: number | undefined;
  readonly port: number;
  readonly host: string | undefined;
}

/** Milliseconds between two looks of a draining server for connections that have become idle. */
const SWEEP_MS = 50;

/** How many connections are detached per batch; a request on the last one waits for the batch. */
const HAND_OVER_AT_ONCE = 100;

export interface DrainOptions {
  /** Milliseconds after which all open connections are cut off. */
  readonly timeoutMs: number;
  /** Milliseconds that an idle connection stays open, so that a request on its way is answered. */
  readonly graceMs: number;
  /**
   * Sends an idle connection to another process, and resolves when it is on its way: its client notices
   * nothing. Without this function idle connections are closed after the grace.
   */
  readonly handOver?: (connection: ConnectionHandle) => Promise<void>;
}

/** An HTTP server that counts all that it answers, and that can stop without failing a request. */
export class Server {
  readonly http: http.Server;
  readonly #sockets = new Set<Socket>();
  readonly #metrics: RequestMetrics;
  /** Adopted sockets, with their `bytesRead` at adoption, or `USED`. */
  readonly #adopted = new WeakMap<Socket, number>();
  readonly #keepAliveTimeoutMs: number;
  /** Whether the next answer on each connection is its last. */
  #closing = false;

  constructor(handler: RequestListener, metrics: RequestMetrics, limits: ServerLimits) {
    this.#metrics = metrics;
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
    this.http.on('checkContinue', (req, res) => {
      continueWhenRead(req, res);
      onRequest(req, res);
    });
    this.http.on('connect', (_req: http.IncomingMessage, socket: Socket) => refuseConnect(socket, metrics));
    this.http.on('clientError', (error, duplex) => {
      const socket = duplex as Socket; // a plain server has no other streams
      if (isTimeout(error) && this.#adopted.has(socket) && this.#isUnused(socket)) return;
      refuseClientError(error, socket, metrics, this.http.headersTimeout);
    });
    this.http.on('connection', (socket) => this.#track(socket));
  }

  /** Resolves when connections are accepted. Rejects with the cause, such as EADDRINUSE. */
  async listen(port: number, host?: string): Promise<AddressInfo> {
    await this.#listen({ port, host });
    return this.http.address() as AddressInfo; // a TCP server has no other
  }

  /**
   * Listens where the configuration says. Resolves with what was found for it: for a Unix socket its path, and 0 as the port. Rejects
   * as `listen`.
   */
  async listenAt({
    listen: path,
    listenMode,
    port,
    host,
  }: Place): Promise<Pick<AddressInfo, 'address' | 'port'>> {
    if (path === undefined) return this.listen(port, host);
    await removeStaleSocket(path);
    await this.#listen({ path });
    restrictSocket(path, listenMode);
    return { address: path, port: 0 };
  }

  #listen(options: net.ListenOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      this.http.once('error', reject);
      this.http.listen(options, () => {
        this.http.off('error', reject);
        resolve();
      });
    });
  }

  /** Serves a connection that another process has handed over. */
  adopt(connection: ConnectionHandle): void {
    const socket = attach(connection);
    this.#adopted.set(socket, socket.bytesRead);
    // To Node this is a new connection, whose first request has to come soon. It may
    // stay as long as any idle one.
    const idle = setTimeout(() => {
      if (this.#isUnused(socket)) socket.destroy();
    }, this.#keepAliveTimeoutMs);
    socket.once('close', () => clearTimeout(idle));
    this.http.emit('connection', socket);
  }

  /**
   * Stops accepting, finishes the requests in flight and gives up every connection: idle ones go to another
   * process or are closed after the grace, busy ones are closed with their response. At the deadline the rest
   * is cut off, and a request that has arrived only in part is refused. Resolves when no connection is left.
   */
  async drain({ timeoutMs, graceMs, handOver }: DrainOptions): Promise<void> {
    this.#closing = !handOver;
    const graceEnds = performance.now() + graceMs;
    const deadline = setTimeout(() => this.#cutOff(), timeoutMs);
    // http.Server's own close would destroy idle connections at once, and race their next request.
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
      // Detaches the whole batch at once: any of them may get a request while others are sent.
      const handles = this.#idle()
        .slice(0, HAND_OVER_AT_ONCE)
        .flatMap((socket) => detach(socket) ?? []);
      if (handles.length === 0) return;
      for (const handle of handles) await handOver(handle);
    }
  }

  /** Idle sockets. Only Node knows which hold half a request. */
  #idle(): Socket[] {
    const idle: Socket[] = [...this.#sockets].filter((socket) => this.#isUnused(socket));
    // Node offers no list of idle connections, but destroys them when it is told to.
    for (const socket of this.#sockets) socket.destroy = () => (idle.push(socket), socket);
    this.http.closeIdleConnections();
    for (const socket of this.#sockets) Reflect.deleteProperty(socket, 'destroy'); // the method of the class is back
    return idle.filter((socket) => !isBusy(socket) && !socket.destroyed);
  }

  /**
   * Closes each idle connection on which nothing has happened for the grace, one at a time and each right
   * after a poll for input. Node closes all at once from a timer, which takes so long with hundreds of
   * connections that requests arrive on the later ones, and are cut off unread. Other input of that poll has
   * been handled since, so there is a last look.
   */
  async #closeQuiet(watched: Watched, graceMs: number): Promise<void> {
    for (const socket of this.#idle()) {
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
        // Node's `bytesRead` does not count the bytes of this last look.
        watched.delete(socket);
        this.#adopted.set(socket, USED);
      }
    }
  }

  /**
   * Cuts off all connections. An unfinished answer is counted as 503, unless a status has been
   * sent: the client is not to blame.
   */
  #cutOff(): void {
    const idle = new Set(this.#idle());
    for (const socket of this.#sockets) {
      const cutOff = MeasuredResponse.cutOff(socket, 503);
      if (cutOff === 0 && !idle.has(socket) && socket.writable) refuseUnfinished(socket, this.#metrics);
      else socket.destroy();
    }
  }

  /** Tells whether no byte has come on this connection yet. */
  #isUnused(socket: Socket): boolean {
    return socket.bytesRead === (this.#adopted.get(socket) ?? 0);
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    // Node takes its own listeners off a socket that it hands out (CONNECT). Without this one, a
    // reset would end this process.
    socket.on('error', () => {});
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
    // Node throws if this is above the timeout of the whole request.
    headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeoutMs),
    keepAliveTimeout: keepAliveTimeoutMs,
    // Without this option, Node's `--max-http-header-size` holds.
    ...(maxHeaderSize !== undefined && { maxHeaderSize }),
  };
}

/** The bytes read from each connection when something last happened on it, and the time of that. */
type Watched = Map<Socket, { readonly bytes: number; readonly since: number }>;

/**
 * Sends the 100 that the client waits for when the body is first read, by anybody: a body that is refused
 * by its header is never sent.
 */
function continueWhenRead(req: http.IncomingMessage, res: http.ServerResponse): void {
  const read = req._read.bind(req);
  req._read = (size) => {
    req._read = read;
    if (!res.headersSent) res.writeContinue();
    read(size);
  };
}

function isTimeout(error: NodeJS.ErrnoException): boolean {
  return error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
}

/** Tells whether a request is being handled, or its answer is still on its way to the client. */
function isBusy(socket: Socket): boolean {
  return socket.writableLength > 0 || MeasuredResponse.pending(socket).length > 0;
}
