import { UNMATCHED } from '../http/measure.js';
import type { Endpoint, RequestMetrics } from '../metrics/request-metrics.js';
import { LateEndpoint } from './late-endpoint.js';

const OVERFLOW = 'overflow';

/** A label much longer than any route comes from a client, not from the app. */
const MAX_LENGTH = 512;

interface Options {
  readonly metrics: RequestMetrics;
  /** The most different labels; all others become `overflow`. */
  readonly max: number;
  /** Called for the first label above the limit. */
  readonly onOverflow: (label: string) => void;
  /** Called for the first request whose label function has thrown. */
  readonly onError: (err: unknown) => void;
}

/** The endpoints of an app that names them itself. Their number is bounded. */
export class EndpointLabels {
  readonly #options: Options;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #unmatched: Endpoint;
  #overflow: Endpoint | undefined;
  #failed = false;

  constructor(options: Options) {
    this.#options = options;
    this.#unmatched = options.metrics.endpoint(UNMATCHED);
  }

  /** Makes an endpoint whose label is asked for when the request is counted. */
  late(label: () => string | undefined): LateEndpoint {
    return new LateEndpoint(this.#unmatched, () => this.endpoint(this.#ask(label)));
  }

  endpoint(label: string | undefined): Endpoint {
    if (label === undefined) return this.#unmatched;
    return this.#endpoints.get(label) ?? this.#add(label);
  }

  #ask(label: () => string | undefined): string | undefined {
    try {
      return label();
    } catch (err) {
      if (!this.#failed) this.#options.onError(err);
      this.#failed = true;
      return undefined;
    }
  }

  #add(label: string): Endpoint {
    const { metrics, max, onOverflow } = this.#options;
    if (this.#endpoints.size >= max || label.length > MAX_LENGTH) {
      if (!this.#overflow) onOverflow(label.slice(0, MAX_LENGTH));
      return (this.#overflow ??= metrics.endpoint(OVERFLOW));
    }
    const endpoint = metrics.endpoint(label);
    this.#endpoints.set(label, endpoint);
    return endpoint;
  }
}
