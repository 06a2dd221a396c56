import http, { type RequestListener } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { MeasuredResponse, measuredResponse } from '../metrics/middleware.js';
import type { RequestMetrics } from '../metrics/request-metrics.js';
import {
  HEADERS_TIMEOUT_MS,
  MAX_HEADER_FIELDS,
  refusalOfRequest,
  refuseClientError,
  refuseConnect,
  refuseRequest,
} from './refuse.js';

const LIMITS = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16_384,
  // Above the 60 s after which common load balancers give up an idle connection: whoever closes first must not be
  // us, or the balancer's next request meets a closed connection.
  keepAliveTimeout: 65_000,
  // Two Host fields become one value with a comma in it, which is refused; by default Node drops the second.
  joinDuplicateHeaders: true,
} as const;

/** How often a draining server looks for connections that have become idle. */
const SWEEP_MS = 50;

export interface DrainOptions {
  /** When what is still open is cut off. */
  readonly timeoutMs: number;
  /** For so long a connection on which nothing happens stays open, so that a request that is on its way is answered. */
  readonly graceMs: number;
}

/** An HTTP server that counts all that it answers, and that can stop without failing a request. */
export class Server {
  readonly http: http.Server;
  readonly #sockets = new Set<Socket>();
  #draining = false;

  constructor(handler: RequestListener, metrics: RequestMetrics) {
    this.http = http.createServer({
      ...LIMITS,
      ServerResponse: measuredResponse(metrics, () => this.#draining),
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
      refuseClientError(error, socket as Socket, metrics); // of a plain server, so it is a net.Socket
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

  /**
   * Stops accepting, answers what is in flight and ends every connection: busy ones with their response, quiet ones
   * after the grace, what is left at the deadline then. Resolves when all are closed.
   */
  drain({ timeoutMs, graceMs }: DrainOptions): Promise<void> {
    this.#draining = true;
    return new Promise((resolve) => {
      const deadline = setTimeout(() => this.#cutOff(), timeoutMs);
      const closed = new AbortController();
      void this.#closeQuiet(graceMs, closed.signal);
      // Not http.Server's own close: that one destroys idle connections at once, and races their next request.
      net.Server.prototype.close.call(this.http, () => {
        closed.abort();
        clearTimeout(deadline);
        resolve();
      });
    });
  }

  /**
   * Closes each connection on which nothing has happened for the grace. One at a time, and each right after a poll for
   * input: what Node does, all at once from a timer, takes so long with hundreds of connections that requests arrive
   * on those whose turn is yet to come, and are cut off unread.
   */
  async #closeQuiet(graceMs: number, closed: AbortSignal): Promise<void> {
    const watched = new Map<Socket, { bytes: number; since: number }>();
    while (!closed.aborted) {
      for (const socket of this.#sockets) {
        const bytes = socket.bytesRead;
        const before = watched.get(socket);
        const now = performance.now();
        if (before?.bytes !== bytes || isBusy(socket)) watched.set(socket, { bytes, since: now });
        else if (now - before.since >= graceMs) {
          await setImmediate();
          if (socket.bytesRead === bytes && !isBusy(socket)) socket.destroy();
        }
      }
      await delay(SWEEP_MS);
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

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      MeasuredResponse.closed(socket);
    });
  }
}

/** A request is being handled, or its answer is still on its way to the client. */
function isBusy(socket: Socket): boolean {
  return socket.writableLength > 0 || MeasuredResponse.pending(socket).length > 0;
}
