import http, { type RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A scraper needs little; whatever else comes must not hold the primary up. */
const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16_384,
  keepAliveTimeout: 65_000,
} as const;

const MAX_CONNECTIONS = 100;

/** How long the last scrape may take when the service ends. */
const LAST_SCRAPE_MS = 100;

/** The primary's own server for `/metrics`, where METRICS_PORT is set. */
export class MetricsServer {
  readonly #server: http.Server;
  /** Connections that have asked for nothing yet, or for what they did not get; the oldest first. */
  readonly #strangers = new Set<Socket>();
  /** Connections whose latest request got a 200, or is being answered; the one that was used last at the end. */
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
        resolve((this.#server.address() as AddressInfo).port); // a TCP server has no other kind of address
      });
    });
  }

  /** Lets a scrape that is under way finish, briefly. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      setTimeout(() => this.#server.closeAllConnections(), LAST_SCRAPE_MS);
    });
  }

  /**
   * Makes room for a new connection where there are too many. To refuse it would let anybody who holds connections open, and
   * needs no token for that, keep the scrapers out.
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
