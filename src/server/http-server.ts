import http, { type RequestListener } from 'node:http';
import type https from 'node:https';
import net, { type Socket } from 'node:net';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { listenAt, type Place } from './listening.js';
import { createNodeServer, type ServerLimits } from './node-server.js';
import { MeasuredResponse, measuredResponse } from './response/measured-response.js';
import type { RequestMetrics } from '../metrics/request-metrics.js';
import { attach, carrierOf, type ConnectionHandle, detach, readNow } from './connection-handle.js';
import type { KeyPair } from '../key-pair.js';
import { hasOwnTime } from './request-deadline.js';
import {
  refusalOfRequest,
  refuseClientError,
  refuseConnect,
  refuseRequest,
  refuseUnfinished,
} from './refusals.js';

/** Marks an adopted connection as used; no `bytesRead` equals it. */
const USED = -1;

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
  readonly http: http.Server | https.Server;
  readonly #isSecure: boolean;
  readonly #sockets = new Set<Socket>();
  /** The connections that are not secure yet. */
  readonly #handshakes = new Set<Socket>();
  readonly #metrics: RequestMetrics;
  /** Adopted sockets, with their `bytesRead` at adoption, or `USED`. */
  readonly #adopted = new WeakMap<Socket, number>();
  readonly #keepAliveTimeoutMs: number;
  /** Whether the next answer on each connection is its last. */
  #closing = false;

  /** @param keyPair makes it an HTTPS server */
  constructor(handler: RequestListener, metrics: RequestMetrics, limits: ServerLimits, keyPair?: KeyPair) {
    this.#metrics = metrics;
    this.#keepAliveTimeoutMs = limits.keepAliveTimeoutMs;
    this.#isSecure = keyPair !== undefined;
    this.http = createNodeServer(
      limits,
      measuredResponse(metrics, () => this.#closing),
      keyPair,
    );
    this.http.on('request', (req: http.IncomingMessage, res: http.ServerResponse) => {
      const refusal = refusalOfRequest(req);
      if (refusal) return refuseRequest(res, refusal);
      handler(req, res);
    });
    this.http.on('checkContinue', (req: http.IncomingMessage, res: http.ServerResponse) => {
      continueWhenRead(req, res);
      // As Node does without this listener: OpenTelemetry begins its span at this event.
      this.http.emit('request', req, res);
    });
    this.http.on('connect', (_req: http.IncomingMessage, socket: Socket) => refuseConnect(socket, metrics));
    this.http.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
      // A handshake has failed: nothing can be said that the client would
      // understand, and there was no request.
      if (!this.#sockets.has(socket)) socket.destroy();
      else if (!isTimeout(error) || !this.#mayTakeLonger(socket))
        refuseClientError(error, socket, metrics, this.http.headersTimeout);
    });
    if (this.#isSecure) this.http.on('connection', (socket) => this.#trackHandshake(socket));
    this.http.on(this.#isSecure ? 'secureConnection' : 'connection', (socket: Socket) => this.#track(socket));
  }

  /** Listens where the configuration says: see `listenAt`. */
  listen(place: Place): ReturnType<typeof listenAt> {
    return listenAt(this.http, place);
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
  async drain({ timeoutMs, graceMs, ...rest }: DrainOptions): Promise<void> {
    // The keys of a TLS connection cannot be handed over.
    const handOver = this.#isSecure ? undefined : rest.handOver;
    this.#closing = !handOver;
    const graceEnds = performance.now() + graceMs;
    const deadline = setTimeout(() => this.#cutOff(), timeoutMs);
    // http.Server's own close would destroy idle connections at once, and race their next request.
    net.Server.prototype.close.call(this.http);
    const watched: Watched = new Map();
    while (this.#sockets.size + this.#handshakes.size > 0) {
      if (handOver) await this.#handOverIdle(handOver);
      await this.#closeQuiet(watched, graceMs);
      if (this.#sockets.size + this.#handshakes.size > 0) await delay(SWEEP_MS);
      const isOver = performance.now() > graceEnds;
      this.#closing ||= isOver;
      // A handshake that has begun may end, and bring its request.
      if (isOver) for (const socket of this.#handshakes) if (socket.bytesRead === 0) socket.destroy();
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
    for (const socket of this.#handshakes) socket.destroy();
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

  /** Tells whether Node's time for a request does not hold on a connection. */
  #mayTakeLonger(socket: Socket): boolean {
    return hasOwnTime(socket) || (this.#adopted.has(socket) && this.#isUnused(socket));
  }

  #trackHandshake(socket: Socket): void {
    this.#handshakes.add(socket);
    socket.once('close', () => this.#handshakes.delete(socket));
  }

  #track(socket: Socket): void {
    const carrier = carrierOf(socket);
    if (carrier) this.#handshakes.delete(carrier);
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
