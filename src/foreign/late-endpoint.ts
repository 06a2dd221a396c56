import type { CountedAs, Endpoint } from '../metrics/request-metrics.js';

/** An endpoint that is looked up when the answer is counted. Until then it has the name of another one. */
export class LateEndpoint implements CountedAs {
  template: string;
  readonly #find: () => Endpoint;

  constructor(until: Endpoint, find: () => Endpoint) {
    this.template = until.template;
    this.#find = find;
  }

  observe(...answer: Parameters<Endpoint['observe']>): void {
    const endpoint = this.#find();
    this.template = endpoint.template;
    endpoint.observe(...answer);
  }
}
