import type { Trace } from './trace-context.js';

/**
 * The parts of `@opentelemetry/api` that are used here. It publishes them for all
 * its copies under one symbol.
 */
interface OpenTelemetry {
  readonly context?: { active(): { getValue(key: symbol): unknown } };
}

interface Span {
  spanContext(): { readonly traceId: string; readonly spanId: string; readonly traceFlags: number };
}

const API = Symbol.for('opentelemetry.js.api.1');
/** `Reflect.get` takes ten times as long, twice in each request. */
const shared: object & { readonly [API]?: OpenTelemetry } = globalThis;
const SPAN = Symbol.for('OpenTelemetry Context Key SPAN');
/** The key under which the instrumentation of http keeps the attributes of a request until its span ends. */
const REQUEST = Symbol.for('OpenTelemetry SDK Context Key RPC_METADATA');

/**
 * Returns the span that OpenTelemetry has opened for the request that is being handled;
 * `undefined` where it is not loaded.
 */
export function activeSpan(): Trace | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- OpenTelemetry's own key
  const span = active(SPAN) as Span | undefined;
  if (span === undefined) return undefined;
  const { traceId, spanId, traceFlags } = span.spanContext();
  return { traceId, spanId, parentId: undefined, sampled: (traceFlags & 1) === 1 };
}

/**
 * Returns a function that tells OpenTelemetry the path template of the request that is being handled, now or
 * when it is known: it is `http.route` of its span. `undefined` where OpenTelemetry is not loaded.
 */
export function routeTeller(): ((template: string) => void) | undefined {
  const request = active(REQUEST);
  if (typeof request !== 'object' || request === null) return undefined;
  return (template) => void Object.assign(request, { route: template });
}

function active(key: symbol): unknown {
  return shared[API]?.context?.active().getValue(key);
}
