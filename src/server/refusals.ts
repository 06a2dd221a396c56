import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { endPatiently } from './lingering-close.js';
import { CLIENT_LEFT, MALFORMED, MeasuredResponse } from './response/measured-response.js';
import { PROBLEM_TYPE, problemJson } from './problem-json.js';
import type { RequestMetrics } from '../metrics/request-metrics.js';

export const MAX_HEADER_FIELDS = 100;

const refused = Symbol('this connection got its refusal');
type Connection = Socket & { [refused]?: true };

interface Refusal {
  readonly status: number;
  readonly detail: string;
}

const VERSION_NOT_SUPPORTED: Refusal = {
  status: 505,
  detail: 'The HTTP version of the request is not supported.',
};

const LATE: Refusal = { status: 408, detail: 'The request did not arrive in time.' };

/**
 * Answers a request that Node's HTTP parser refused, counts it once, and ends the connection.
 * @param headersTimeoutMs milliseconds that a header may take
 */
export function refuseClientError(
  error: Error,
  socket: Socket,
  metrics: RequestMetrics,
  headersTimeoutMs: number,
): void {
  const connection: Connection = socket;
  // Node can report one broken connection several times, since it goes on to parse the bytes after the fault.
  if (connection[refused]) return;
  connection[refused] = true;
  if (!socket.writable) return void socket.destroy();

  const refusal = refusalOf(error);
  if (!refusal) return void socket.destroy(error);
  const latest = MeasuredResponse.latest(socket);
  if (latest && !latest.req.complete) return refuseBody(latest, error, refusal, metrics);
  // Bytes after a last request are no request: Node closes the connection after the answer.
  if (latest?.shouldKeepAlive === false) return;
  refuseInTurn(socket, metrics, 'OTHER', refusal, secondsSpent(refusal, headersTimeoutMs));
}

/** Refuses a request with a fault in its body, which the app has already got. */
function refuseBody(
  response: MeasuredResponse,
  error: Error,
  refusal: Refusal,
  metrics: RequestMetrics,
): void {
  // A client that ended in the middle of the body has left, and is counted when the connection is closed.
  if (isEnd(error)) return void response.req.destroy();
  // A late body is no parser error: the request keeps its endpoint.
  const { measurement } = response;
  if (refusal !== LATE && !isAnswered(response)) measurement.endpoint = metrics.endpoint(MALFORMED);
  refuseOrBreakOff(response, refusal);
}

/** Refuses a request whose body has not arrived in the time that its operation gives it. */
export function refuseLate(response: MeasuredResponse): void {
  const connection: Connection = response.req.socket;
  if (connection[refused]) return;
  connection[refused] = true;
  refuseOrBreakOff(response, LATE);
}

function refuseOrBreakOff(response: MeasuredResponse, refusal: Refusal): void {
  if (isAnswered(response)) response.destroy();
  else refuseRequest(response, refusal);
}

/** Tells whether an answer has begun. */
function isAnswered({ measurement, headersSent }: MeasuredResponse): boolean {
  return measurement.counted || headersSent;
}

/** Refuses CONNECT, which reaches no app: this is an origin server, no proxy (RFC 9110 section 9.3.6). */
export function refuseConnect(socket: Socket, metrics: RequestMetrics): void {
  // Node has taken its listeners off the socket, and reads no more: while the answer to an earlier request is
  // on its way nobody would see the client leave, and a stream would wait for ever.
  socket.on('drain', () => MeasuredResponse.pending(socket)[0]?.emit('drain'));
  socket.once('end', () => socket.destroy()).resume();
  refuseInTurn(socket, metrics, 'CONNECT', { status: 501, detail: 'CONNECT is not supported.' }, 0);
}

/** Refuses a request that has arrived only in part when the service ends. */
export function refuseUnfinished(socket: Socket, metrics: RequestMetrics): void {
  refuseInTurn(socket, metrics, 'OTHER', { status: 503, detail: 'The service is stopping.' }, 0);
  socket.destroySoon();
}

/**
 * Refuses and counts a request that has no response, when the answers to earlier ones have been sent and
 * if the client is still there.
 */
function refuseInTurn(
  socket: Socket,
  metrics: RequestMetrics,
  method: string,
  refusal: Refusal,
  seconds: number,
): void {
  const latest = MeasuredResponse.latest(socket);
  const count = (status: number) => metrics.endpoint(MALFORMED).observe(method, status, seconds);
  const refuse = (): void => {
    socket.off('close', leave);
    count(refusal.status);
    endPatiently(socket, message(refusal));
  };
  const leave = (): void => {
    latest?.off('finish', refuse);
    count(CLIENT_LEFT);
  };
  if (!latest || latest.writableFinished) return refuse();
  latest.once('finish', refuse);
  socket.once('close', leave);
}

/**
 * Returns why an HTTP/1.1 server must refuse a request that Node's parser has
 * accepted; undefined if it need not.
 */
export function refusalOfRequest(req: IncomingMessage): Refusal | undefined {
  if (req.rawHeaders.length > 2 * MAX_HEADER_FIELDS) {
    return { status: 431, detail: `The request has more than ${MAX_HEADER_FIELDS} header fields.` };
  }
  if (req.httpVersionMajor !== 1) {
    return VERSION_NOT_SUPPORTED;
  }
  const { host, 'transfer-encoding': coding } = req.headers;
  if (host !== undefined && !(isHost(host) && hasOneHost(req.rawHeaders))) {
    return { status: 400, detail: 'The request must have exactly one valid Host header field.' };
  }
  if (coding !== undefined && req.httpVersionMinor === 0) {
    return { status: 400, detail: 'An HTTP/1.0 request must not have a Transfer-Encoding.' };
  }
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    return { status: 501, detail: 'The only Transfer-Encoding that is supported is chunked.' };
  }
  return undefined;
}

/** Tells whether a request has one Host field. Of several, Node's `headers` has the first. */
function hasOneHost(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts === 1;
}

/** A host with an optional port (RFC 3986 section 3.2.2). */
const HOST = /^(?:\[[0-9a-f:.]+\]|[\w.~!$&'()*+;=%-]*)(?::\d*)?$/i;
let latestValidHost = '';

/** Tells whether a text is valid as a Host header. */
export function isHost(host: string): boolean {
  if (host === latestValidHost) return true;
  if (!HOST.test(host)) return false;
  latestValidHost = host;
  return true;
}

/** Answers a request that has a response object. The response counts itself, as malformed. */
export function refuseRequest(res: ServerResponse, refusal: Refusal): void {
  const body = problemJson(refusal);
  res.shouldKeepAlive = false;
  res.writeHead(refusal.status, {
    'Content-Type': PROBLEM_TYPE,
    'Content-Length': Buffer.byteLength(body),
  });
  res.end(body);
}

/** Writes a whole answer, for a socket. */
function message(refusal: Refusal): string {
  const body = problemJson(refusal);
  return (
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n` +
    `Date: ${new Date().toUTCString()}\r\nConnection: close\r\n` +
    `Content-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}

/**
 * Returns the duration to count. A request whose header never arrived has lasted
 * as long as it was allowed to.
 */
function secondsSpent(refusal: Refusal, headersTimeoutMs: number): number {
  return refusal.status === 408 ? headersTimeoutMs / 1000 : 0;
}

/** A well-formed request line (RFC 9112 section 3): method, target, version. */
const REQUEST_LINE = /^[!#$%&'*+.^`|~\w-]+ [\x21-\x7e]+ HTTP\/(\d)\.\d\r?\n/;

type ParserError = Error & { code?: string; rawPacket?: Buffer; bytesParsed?: number };

function isEnd({ code }: ParserError): boolean {
  return code === 'HPE_INVALID_EOF_STATE';
}

/** Returns the answer to an error of the parser; undefined where nobody is left to answer. */
function refusalOf(error: ParserError): Refusal | undefined {
  switch (error.code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return undefined;
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return LATE;
    case 'HPE_PAUSED_H2_UPGRADE':
      return VERSION_NOT_SUPPORTED;
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, detail: 'The header of the request is too large.' };
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: 413, detail: 'The chunk extensions of the request are too large.' };
    default:
      return refusalOfLine(error);
  }
}

function refusalOfLine(error: ParserError): Refusal {
  const [, major] = REQUEST_LINE.exec(faultyLine(error)) ?? [];
  if (major !== undefined && (major !== '1' || error.code === 'HPE_INVALID_VERSION')) {
    return VERSION_NOT_SUPPORTED;
  }
  if (major !== undefined && error.code === 'HPE_INVALID_METHOD') {
    return { status: 501, detail: 'The method of the request is not known.' };
  }
  return { status: 400, detail: 'The request is not valid HTTP.' };
}

/** Returns the line in which the parser stopped, and the text that follows it. */
function faultyLine({ rawPacket, bytesParsed = 0 }: ParserError): string {
  const text = rawPacket?.toString('latin1') ?? '';
  return text.slice(bytesParsed > 0 ? text.lastIndexOf('\n', bytesParsed - 1) + 1 : 0);
}
