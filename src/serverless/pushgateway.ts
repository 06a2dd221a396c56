import http from 'node:http';
import https from 'node:https';
import { oneAtATime } from '../metrics/exposition/one-at-a-time.js';
import { errorOf } from '../thrown.js';

export interface PushgatewayOptions {
  /** The URL of the gateway, with a path and credentials if it needs them. */
  readonly url: string;
  readonly job: string;
  /**
   * The id that tells this process from all others, for ever: a push replaces the metrics that
   * were pushed under the same two.
   */
  readonly instance: string;
  readonly gather: () => Promise<Buffer>;
  /** Called for the first failure after a success. */
  readonly onError: (err: Error) => void;
  /** Milliseconds that a push may take in all. Default 500. */
  readonly timeoutMs?: number;
  /** Milliseconds without a push after a failure. Default 10000. */
  readonly restMs?: number;
}

/** Pushes the metrics of a process to a Prometheus Pushgateway, where nobody can scrape it. */
export class Pushgateway {
  readonly #options: PushgatewayOptions;
  readonly #address: URL;
  #failing = false;
  #restUntil = 0;
  constructor(options: PushgatewayOptions) {
    this.#options = options;
    const { url, job, instance } = options;
    const group = `metrics/job/${encodeURIComponent(job)}/instance/${encodeURIComponent(instance)}`;
    this.#address = new URL(group, url.endsWith('/') ? url : `${url}/`);
  }

  /**
   * Resolves when everything that was counted before the call is pushed, or that has failed or taken too
   * long. Never rejects. While the gateway is down most calls return at once: counts only grow, so a
   * later push makes up for them.
   */
  readonly push = oneAtATime(() => this.#push());

  async #push(): Promise<void> {
    if (performance.now() < this.#restUntil) return;
    try {
      const began = performance.now();
      await this.#put(await this.#options.gather(), began);
      this.#failing = false;
    } catch (err) {
      this.#restUntil = performance.now() + (this.#options.restMs ?? 10_000);
      if (!this.#failing) this.#options.onError(errorOf(err));
      this.#failing = true;
    }
  }

  /**
   * Sends the exposition by PUT, which replaces all metrics of the group (Pushgateway's API). Their
   * timestamps are the scrape's.
   * @param began when the push began, by `performance.now()`
   */
  #put(exposition: Buffer, began: number): Promise<void> {
    const { request } = this.#address.protocol === 'https:' ? https : http;
    return new Promise((resolve, reject) => {
      const sent = request(this.#address, {
        method: 'PUT',
        // A kept connection would be dead after the platform has frozen and thawed this process.
        agent: false,
        headers: { 'content-type': 'text/plain; version=0.0.4', 'content-length': exposition.length },
      });
      const timeoutMs = this.#options.timeoutMs ?? 500;
      const deadline = setTimeout(
        () => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)),
        began + timeoutMs - performance.now(),
      );
      sent.on('close', () => clearTimeout(deadline));
      sent.on('error', reject);
      sent.on('response', (response) => {
        const { statusCode = 0 } = response;
        response.resume();
        response.on('error', reject);
        response.on('end', () =>
          statusCode < 300 ? resolve() : reject(new Error(`the Pushgateway answered ${statusCode}`)),
        );
      });
      sent.end(exposition);
    });
  }
}
