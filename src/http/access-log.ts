import type { Logger } from '../log.js';
import type { Operation } from '../openapi/operations/operation.js';
import type { Measurement, Observer } from '../server/response/measurement.js';

/**
 * `errors` logs answers of 500 and above, and answers slower than their objective. A number is the share of
 * all others that is logged too.
 */
export type AccessLog = 'off' | 'errors' | number;

/** Makes the observer that logs a line for an answered request; `undefined` where the log is off. */
export function accessLog(
  setting: AccessLog,
  log: Logger,
  operations: readonly Operation[],
): Observer | undefined {
  if (setting === 'off') return undefined;
  const share = setting === 'errors' ? 0 : setting;
  const objectives = new Map(
    operations.map((operation) => [`${operation.method} ${operation.path}`, latencyObjective(operation)]),
  );
  return (measurement, status, seconds) => {
    const slowest = slowestOf(objectives, measurement);
    const isError = slowest !== undefined && (status >= 500 || seconds > slowest);
    if (!isError && (share === 0 || Math.random() >= share)) return;
    const { traceId, spanId } = measurement.trace;
    log[isError ? 'warn' : 'info'](
      {
        ...(measurement.requestId !== '' && { requestId: measurement.requestId }),
        trace_id: traceId,
        span_id: spanId,
        method: measurement.req.method,
        endpoint: measurement.endpoint.template,
        status,
        ms: Math.round(seconds * 1e6) / 1e3,
        bytes: measurement.bytes,
      },
      'Request answered',
    );
  };
}

/**
 * Returns the seconds that the answer may take; `undefined` for an operation without an objective
 * (`x-slo: false`), such as a probe.
 */
function slowestOf(
  objectives: ReadonlyMap<string, number | undefined>,
  { req, endpoint }: Measurement,
): number | undefined {
  if (objectives.size === 0) return Infinity;
  const called = `${req.method} ${endpoint.template}`;
  return objectives.has(called) ? objectives.get(called) : Infinity;
}

/**
 * Returns the latency threshold in seconds from the operation's `x-slo`, or else from the
 * description's; Infinity if there is none.
 */
function latencyObjective({ place }: Operation): number | undefined {
  const own = place.at('x-slo');
  if (own.value === false) return undefined;
  const objective = own.value === undefined ? place.description.root.at('x-slo') : own;
  const threshold = objective.at('latency').at('threshold').value;
  return typeof threshold === 'number' ? threshold : Infinity;
}
