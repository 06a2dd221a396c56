import { UNMATCHED } from '../http/measure.js';
import type { Endpoint, RequestMetrics } from '../metrics/request-metrics.js';
import { AdmittedLabels } from '../metrics/service-folder/admitted-labels.js';
import { routeTeller } from '../server/response/open-telemetry.js';
import { LateEndpoint } from './late-endpoint.js';
import { type RoutePath, templateOf } from './route-path.js';

const OVERFLOW = 'overflow';

/** A label much longer than any route comes from a client, not from the app. */
const MAX_LENGTH = 512;

/** An endpoint label as an app tells it: a route's path, or nothing where no route matched. */
export type Label = RoutePath | null | undefined;

interface Options {
  readonly metrics: RequestMetrics;
  /** The most different labels of all processes of the service; all others become `overflow`. */
  readonly max: number;
  /** The labels of the app's routes: they come first, in every process. */
  readonly known?: readonly string[];
  /** The path of the service's folder, in which its processes agree on the other labels. */
  readonly folder?: string | undefined;
  /** Called for the first label above the limit. */
  readonly onOverflow: (label: string) => void;
  /**
   * Called for the first request whose label function has thrown, or has given something else than a label.
   */
  readonly onError: (err: unknown) => void;
}

/** The endpoints of an app that names them itself. Their number is bounded. */
export class EndpointLabels {
  readonly #options: Options;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #unmatched: Endpoint;
  readonly #overflow: Endpoint;
  readonly #admitted: AdmittedLabels;
  #overflown = false;
  #failed = false;

  constructor(options: Options) {
    const { metrics, max, known = [], folder } = options;
    this.#options = options;
    this.#unmatched = metrics.endpoint(UNMATCHED);
    this.#overflow = metrics.endpoint(OVERFLOW);
    const named = [...new Set(known)].slice(0, max);
    for (const label of [UNMATCHED, OVERFLOW, ...named]) this.#endpoints.set(label, metrics.endpoint(label));
    this.#admitted = new AdmittedLabels(max - named.length, folder);
  }

  /**
   * Makes an endpoint whose label is asked for when the request is counted. Whatever the app answers, it is
   * counted.
   */
  late(label: () => Label): LateEndpoint {
    const tellRoute = routeTeller();
    return new LateEndpoint(this.#unmatched, () => {
      const endpoint = this.#told(label);
      if (endpoint !== this.#unmatched && endpoint !== this.#overflow) tellRoute?.(endpoint.template);
      return endpoint;
    });
  }

  /** Tells whether a label has a name of its own already. */
  has(label: string): boolean {
    return this.#endpoints.has(label);
  }

  endpoint(label: string): Endpoint {
    return this.#endpoints.get(label) ?? this.#add(label);
  }

  #told(label: () => unknown): Endpoint {
    try {
      const told = label();
      return told === undefined || told === null ? this.#unmatched : this.endpoint(textOf(told));
    } catch (err) {
      if (!this.#failed) this.#options.onError(err);
      this.#failed = true;
      return this.#unmatched;
    }
  }

  #add(label: string): Endpoint {
    const { metrics, onOverflow } = this.#options;
    if (label.length > MAX_LENGTH || !this.#admitted.admits(label)) {
      if (!this.#overflown) onOverflow(label.slice(0, MAX_LENGTH));
      this.#overflown = true;
      return this.#overflow;
    }
    const endpoint = metrics.endpoint(label);
    this.#endpoints.set(label, endpoint);
    return endpoint;
  }
}

/** Writes what an app has told as a label. Throws a TypeError for anything that is none. */
function textOf(told: {}): string {
  const text = templateOf(told);
  if (text !== undefined) return text;
  // An async function that fails would end the worker besides.
  if (told instanceof Promise) told.catch(() => {});
  throw new TypeError(`"endpoint" must return a text, not ${Object.prototype.toString.call(told)}`);
}
