import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { isSampled, traceOf } from '../../../src/server/response/trace-context.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

function requestWith(traceparent: string | undefined): IncomingMessage {
  const req = new IncomingMessage(new Socket());
  if (traceparent !== undefined) req.headers['traceparent'] = traceparent;
  return req;
}

describe('the trace of a request', () => {
  it.each([
    ['sampled', `00-${TRACE}-${PARENT}-01`, true],
    ['not sampled', `00-${TRACE}-${PARENT}-00`, false],
    ['of which only the lowest flag counts', `00-${TRACE}-${PARENT}-fe`, false],
    ['with flags of later versions', `00-${TRACE}-${PARENT}-ff`, true],
    ['of a later version with additions', `01-${TRACE}-${PARENT}-01-more`, true],
  ])('continues one %s', (_, traceparent, sampled) => {
    const trace = traceOf(requestWith(traceparent));
    expect(trace).toEqual({
      traceId: TRACE,
      parentId: PARENT,
      spanId: expect.stringMatching(/^[\da-f]{16}$/),
      sampled,
    });
    expect(isSampled(traceparent)).toBe(sampled);
  });

  it.each([
    ['missing', undefined],
    ['empty', ''],
    ['too short', `00-${TRACE}-${PARENT}-0`],
    ['of version ff', `ff-${TRACE}-${PARENT}-01`],
    ['of version 00 with additions', `00-${TRACE}-${PARENT}-01-more`],
    ['in upper case', `00-${TRACE.toUpperCase()}-${PARENT}-01`],
    ['without a trace id', `00-${'0'.repeat(32)}-${PARENT}-01`],
    ['without a parent id', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ])('is a new and unsampled one where traceparent is %s', (_, traceparent) => {
    const trace = traceOf(requestWith(traceparent));
    expect(trace).toEqual({
      traceId: expect.stringMatching(/^[\da-f]{32}$/),
      spanId: expect.stringMatching(/^[\da-f]{16}$/),
      parentId: undefined,
      sampled: false,
    });
    expect(trace.traceId).not.toBe(TRACE);
  });

  it('gives each request a span of its own', () => {
    const req = requestWith(`00-${TRACE}-${PARENT}-01`);
    const spans = Array.from({ length: 2_000 }, () => traceOf(req).spanId);
    expect(new Set(spans).size).toBe(2_000);
  });
});
