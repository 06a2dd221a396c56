import http, { type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

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

  constructor(listener: RequestListener) {
    this.#server = http.createServer(LIMITS, listener);
    this.#server.maxConnections = MAX_CONNECTIONS;
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
}
