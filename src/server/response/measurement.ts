import type { IncomingMessage, ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { CountedAs, RequestMetrics } from '../../metrics/request-metrics.js';
import { activeSpan } from './open-telemetry.js';
import { isSampled, type Trace, traceOf } from './trace-context.js';

/** Called when a request is counted. */
export type Observer = (measurement: Measurement, status: number, seconds: number) => void;

/** The account of one request: it is in progress from its arrival until it is counted, once. */
export class Measurement {
  readonly req: IncomingMessage;
  /** Bytes of a body that is sent in parts, so far. */
  streamed = 0;
  observer: Observer | undefined;
  requestId = '';
  /** Whether the app has ended the answer. Its last parts may still wait for the client. */
  ended = false;
  readonly #res: ServerResponse;
  readonly #metrics: RequestMetrics;
  readonly #arrived = performance.now();
  /** The place of the request in the list of those in flight; -1 without one. */
  readonly #slot: number;
  #endpoint: CountedAs;
  #inProgress = true;
  #counted = false;
  #trace: Trace | undefined;

  constructor(metrics: RequestMetrics, endpoint: CountedAs, req: IncomingMessage, res: ServerResponse) {
    this.#metrics = metrics;
    this.#endpoint = endpoint;
    this.req = req;
    this.#res = res;
    this.#slot = metrics.inFlight?.enter(this.#arrived, endpoint.template, req.method ?? '') ?? -1;
    metrics.inProgress += 1;
  }

  /** The endpoint under which the request is counted. */
  get endpoint(): CountedAs {
    return this.#endpoint;
  }

  set endpoint(endpoint: CountedAs) {
    this.#endpoint = endpoint;
    this.#metrics.inFlight?.route(this.#slot, endpoint.template);
  }

  /** Sets the id of the request, by which the log names it should this process die. */
  identify(requestId: string): void {
    this.requestId = requestId;
    this.#metrics.inFlight?.identify(this.#slot, requestId);
  }

  /** The bytes of the body: its Content-Length, or else the bytes sent so far. */
  get bytes(): number {
    const length = this.#res.getHeader('Content-Length');
    return length === undefined ? this.streamed : Number(length);
  }

  get counted(): boolean {
    return this.#counted;
  }

  /** The trace of the request. It is parsed or made when it is first asked for. */
  get trace(): Trace {
    return (this.#trace ??= traceOf(this.req));
  }

  /** Takes over the span of OpenTelemetry, if it is loaded: to be called where the request is handled. */
  joinTrace(): void {
    this.#trace = activeSpan();
  }

  /** Counts the request with this status, unless it has been counted already. */
  count(status: number): void {
    if (this.#counted) return;
    this.#counted = true;
    this.leaveInProgress();
    this.#metrics.inFlight?.leave(this.#slot);
    const seconds = (performance.now() - this.#arrived) / 1000;
    // Apps may set the status as text or with decimals, of which Node sends the whole number.
    const sent = Math.trunc(status);
    this.#endpoint.observe(this.req.method ?? 'OTHER', sent, seconds, this.#sampledTrace());
    this.observer?.(this, sent, seconds);
  }

  /**
   * Returns the trace if the caller, or OpenTelemetry, has sampled it. A trace that begins here is sampled
   * by nobody, so there is nothing to look up.
   */
  #sampledTrace(): Trace | undefined {
    if (this.#trace === undefined && !isSampled(this.req.headers['traceparent'])) return undefined;
    return this.trace.sampled ? this.trace : undefined;
  }

  /** Takes the request out of the gauge of requests in progress before it is counted. */
  leaveInProgress(): void {
    if (this.#inProgress) this.#metrics.inProgress -= 1;
    this.#inProgress = false;
  }
}
