import http, { type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { tcpAddress } from './tcp-address.js';

/** Limits of the server: a scraper needs little, and other clients must not hold the primary up. */
const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16_384,
  keepAliveTimeout: 65_000,
} as const;

const MAX_CONNECTIONS = 100;

/** Milliseconds that the last scrape may take when the service ends. */
const LAST_SCRAPE_MS = 100;

/** The primary's server for `/metrics`, where METRICS_PORT is set. */
export class MetricsServer {
  readonly #server: http.Server;
  /** Connections without a request yet, or whose latest request did not get a 200; the oldest first. */
  readonly #strangers = new Set<Socket>();
  /** Connections whose latest request got a 200, or is being answered; the latest used last. */
  readonly #scrapers = new Set<Socket>();

  constructor(listener: RequestListener) {
    this.#server = http.createServer(LIMITS, (req, res) => {
      this.#move(req.socket, this.#scrapers);
      res.once('finish', () => {
        if (res.statusCode !== 200) this.#move(req.socket, this.#strangers);
      });
      listener(req, res);
    });
    this.#server.on('connection', (socket) => this.#admit(socket));
  }

  /** Resolves with the port when connections are accepted. Rejects with the cause, such as EADDRINUSE. */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.on('error', reject);
      this.#server.listen({ port, host }, () => {
        resolve(tcpAddress(this.#server).port);
      });
    });
  }

  /** Closes the server. A running scrape may still finish, briefly. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      setTimeout(() => this.#server.closeAllConnections(), LAST_SCRAPE_MS);
    });
  }

  /**
   * Closes the oldest connection if there are too many. To refuse the new one would let anybody who holds
   * connections open, for which no token is needed, keep the scrapers out.
   */
  #admit(socket: Socket): void {
    const [oldest] = [...this.#strangers, ...this.#scrapers];
    if (this.#strangers.size + this.#scrapers.size >= MAX_CONNECTIONS) oldest?.destroy();
    this.#move(socket, this.#strangers);
    socket.once('close', () => this.#move(socket));
  }

  #move(socket: Socket, to?: Set<Socket>): void {
    this.#strangers.delete(socket);
    this.#scrapers.delete(socket);
    if (!socket.destroyed) to?.add(socket);
  }
}
