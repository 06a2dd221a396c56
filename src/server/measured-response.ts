import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { closePatiently } from './lingering-close.js';
import type { Endpoint, RequestMetrics } from '../metrics/request-metrics.js';
import { Measurement } from './measurement.js';

/** The endpoint label of requests that were refused before they reached the app. */
export const MALFORMED = 'malformed';

/** The status of a request whose client left before the answer was ready or, for a stream, complete. */
export const CLIENT_LEFT = 499;

const LATEST = Symbol('the response to the latest request of a connection');
const EARLIER = Symbol('the uncounted responses before the latest one, in the order of their requests');
/**
 * A socket with its uncounted responses. Few clients pipeline: most connections never have an earlier one.
 */
type Connection = Socket & { [LATEST]?: MeasuredResponse; [EARLIER]?: Set<MeasuredResponse> };

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[];
type WriteCallback = (error: Error | null | undefined) => void;

/** A body that is written in parts. */
interface Stream {
  /** Bytes that are still missing to its Content-Length; NaN without one. */
  expected: number;
  /** Parts that the socket has not taken yet. */
  unflushed: number;
  /** The last steps, which wait for those parts. */
  readonly held: (() => void)[];
}

/** The same for all responses of a server. */
interface Shared {
  readonly malformed: Endpoint;
  /** Whether the latest answer of each connection is to be its last. */
  readonly closing: () => boolean;
}

/**
 * A response that counts itself, once, with the status that the client was sent: a buffered body before
 * its only write, a stream before its last one, an answer that never gets that far when its connection
 * closes. Node makes one for all requests that its parser accepts, so the answers that Node gives by
 * itself (no Host, 417) are counted too.
 *
 * A count is always made before the last byte is handed to the socket: a client that has the whole answer
 * finds it in the next scrape, even if this process is killed in between.
 */
export class MeasuredResponse extends ServerResponse {
  /** The account of the request; its endpoint is `malformed` until the request reaches the app. */
  readonly measurement: Measurement;
  /** Whether the latest answer of each connection is to be its last. */
  readonly #closing: () => boolean;
  /** Node's own flag by which streams know that an answer is closed. */
  declare _closed: boolean;
  #brokenOff = false;
  /** Whether this answer has ended while an earlier one was on its way. It is counted when its turn comes. */
  #awaitsTurn = false;
  /** The headers that `writeHead` was given, which `getHeader` does not know. */
  #given: unknown;
  #stream: Stream | undefined;

  constructor(
    metrics: RequestMetrics,
    { malformed, closing }: Shared,
    req: IncomingMessage,
    options?: object,
  ) {
    // @ts-expect-error Node passes its options on to OutgoingMessage; the type does not declare them.
    super(req, options);
    this.measurement = new Measurement(metrics, malformed, req, this);
    this.#closing = closing;
    this.#keepMethods(this);
    const connection: Connection = req.socket;
    const previous = connection[LATEST];
    if (previous && !previous.measurement.counted) (connection[EARLIER] ??= new Set()).add(previous);
    connection[LATEST] = this;
  }

  /**
   * Makes the overridden methods the response's own. Express replaces its prototype: without
   * this nothing would count it.
   */
  // oxlint-disable-next-line typescript/unbound-method -- each is called on this response again
  #keepMethods({ write, end, writeHead, destroy, assignSocket, detachSocket }: this): void {
    this.write = write;
    this.end = end;
    this.writeHead = writeHead;
    this.destroy = destroy;
    this.assignSocket = assignSocket;
    this.detachSocket = detachSocket;
  }

  /** Counts the request with this status, unless it has been counted already. */
  #count(status: number): void {
    if (this.measurement.counted) return;
    const connection: Connection = this.req.socket;
    connection[EARLIER]?.delete(this);
    this.measurement.count(status);
  }

  /**
   * Counts the whole answer, which is about to be handed to the socket: now, or when the earlier answers of
   * the connection have been sent. Its client may leave before that.
   */
  #countAtItsTurn(): void {
    if (this.socket) this.#count(this.statusCode);
    else this.#awaitsTurn = true;
  }

  /** Counts and sends an answer whose turn has come. Called by Node. */
  override assignSocket(socket: Socket): void {
    if (this.#awaitsTurn) this.#count(this.statusCode);
    super.assignSocket(socket);
    if (this.#stream) this.#release(this.#stream);
  }

  /**
   * Prepares the close of a connection whose answer has been sent. Called by Node, which closes
   * it if the answer is the last.
   */
  override detachSocket(socket: Socket): void {
    super.detachSocket(socket);
    if (!this.req.complete) closePatiently(socket);
  }

  /**
   * Counts an answer that is cut off, with the status that its client has seen, or else with the given one.
   */
  #cutOff(status: number): void {
    this.#count(this.socket && this.headersSent ? this.statusCode : status);
  }

  /** Returns the response to the latest request of a connection. */
  static latest(connection: Connection): MeasuredResponse | undefined {
    return connection[LATEST];
  }

  /** Returns the uncounted responses of a connection, in the order of their requests. */
  static pending(connection: Connection): readonly MeasuredResponse[] {
    const earlier = connection[EARLIER] ?? [];
    const latest = connection[LATEST];
    return latest && !latest.measurement.counted ? [...earlier, latest] : [...earlier];
  }

  /**
   * Counts what a connection that is about to be cut off leaves behind, and returns
   * how many responses that are.
   */
  static cutOff(connection: Connection, status: number): number {
    const pending = MeasuredResponse.pending(connection);
    for (const response of pending) response.#cutOff(status);
    return pending.length;
  }

  /**
   * Counts the responses that a closed connection leaves behind: as 499, or with the status that was sent if
   * this side broke the answer off.
   */
  static closed(connection: Connection): void {
    for (const response of MeasuredResponse.pending(connection)) {
      if (response.#brokenOff) response.#cutOff(CLIENT_LEFT);
      else response.#count(CLIENT_LEFT);
      if (!response.socket) response.#abandon();
    }
  }

  /**
   * Tells the writer of this answer that it will never be sent. Node tells only the answer that has the
   * socket: streams of the answers behind it would stay open for the life of the process.
   */
  #abandon(): void {
    this.destroyed = true;
    this._closed = true;
    this.emit('close');
  }

  override writeHead(statusCode: number, reason?: string | Headers, headers?: Headers): this {
    const connection: Connection = this.req.socket;
    // An earlier answer that closed the connection would cut off those of the pipelined requests behind it.
    if (this.#closing() && connection[LATEST] === this) this.shouldKeepAlive = false;
    this.#given = headers ?? reason;
    return typeof reason === 'string'
      ? super.writeHead(statusCode, reason, headers)
      : super.writeHead(statusCode, headers ?? reason);
  }

  override destroy(error?: Error): this {
    // A client that left has destroyed the socket before a `pipe` destroys this response; an app
    // destroys the response first.
    this.#brokenOff ||= !this.req.socket.destroyed;
    return super.destroy(error);
  }

  override write(
    chunk: unknown,
    encoding?: BufferEncoding | WriteCallback,
    callback?: WriteCallback,
  ): boolean {
    if (this.measurement.counted)
      return typeof encoding === 'string'
        ? super.write(chunk, encoding, callback)
        : super.write(chunk, encoding ?? callback);
    const stream = (this.#stream ??= {
      expected: Number(this.getHeader('content-length') ?? contentLengthIn(this.#given) ?? NaN),
      unflushed: 0,
      held: [],
    });
    const length = byteLength(chunk, encoding);
    stream.expected -= length;
    this.measurement.streamed += length;
    const send = () => this.#send(stream, chunk, encoding, callback);
    return stream.expected > 0 || Number.isNaN(stream.expected) ? send() : this.#last(stream, send);
  }

  override end(chunk?: unknown, encoding?: BufferEncoding | (() => void), callback?: () => void): this {
    const stream = this.#stream;
    if (stream) {
      this.#last(stream, () => this.#end(chunk, encoding, callback));
      return this;
    }
    this.#countAtItsTurn();
    const isWhole = typeof chunk === 'string' && chunk !== '' && encoding === undefined;
    if (isWhole && this.socket && this.hasHeader('Content-Length')) return this.#endWhole(chunk, this.socket);
    return this.#end(chunk, encoding, callback);
  }

  #end(chunk: unknown, encoding?: BufferEncoding | (() => void), callback?: () => void): this {
    return typeof encoding === 'string'
      ? super.end(chunk, encoding, callback)
      : super.end(chunk, encoding ?? callback);
  }

  /**
   * Ends an answer whose Content-Length is set, and sends header and text as one piece. Node's `end` with a
   * text hands the socket two pieces, the second one empty, which takes a slower system call.
   */
  #endWhole(text: string, socket: Socket): this {
    super.write(text);
    // Node holds the text back for a piece that may follow.
    socket.uncork();
    return super.end();
  }

  /** Passes on a write of a stream, and counts the parts that the socket has not taken yet. */
  #send(
    stream: Stream,
    chunk: unknown,
    encoding?: BufferEncoding | WriteCallback,
    callback?: WriteCallback,
  ): boolean {
    const done = typeof encoding === 'function' ? encoding : callback;
    stream.unflushed += 1;
    return super.write(chunk, typeof encoding === 'string' ? encoding : 'utf8', (error) => {
      stream.unflushed -= 1;
      done?.(error);
      if (stream.unflushed === 0 && !error) this.#release(stream);
    });
  }

  /**
   * Does the last step of a stream. It waits while the socket still has earlier parts to send: the client may
   * leave before, which makes it a 499.
   */
  #last(stream: Stream, step: () => unknown): boolean {
    stream.held.push(step);
    if (stream.unflushed === 0) this.#release(stream);
    return true;
  }

  #release(stream: Stream): void {
    while (this.socket && stream.unflushed === 0 && stream.held.length > 0) {
      this.#count(this.statusCode);
      stream.held.shift()?.();
    }
  }
}

function isLength(name: unknown): boolean {
  return String(name).toLowerCase() === 'content-length';
}

function contentLengthIn(headers: unknown): unknown {
  if (typeof headers !== 'object' || headers === null) return undefined;
  if (Array.isArray(headers)) return headers[headers.findIndex(isLength) + 1 || headers.length];
  return Object.entries(headers).find(([name]) => isLength(name))?.[1];
}

function byteLength(chunk: unknown, encoding: BufferEncoding | WriteCallback | undefined): number {
  if (typeof chunk === 'string')
    return Buffer.byteLength(chunk, typeof encoding === 'string' ? encoding : 'utf8');
  return chunk instanceof Uint8Array ? chunk.byteLength : 0;
}

/**
 * Makes the class to give to `http.createServer` as `ServerResponse`.
 * @param closing tells whether the latest answer of each connection is its last
 */
export function measuredResponse(
  metrics: RequestMetrics,
  closing: () => boolean = () => false,
): typeof ServerResponse {
  const shared = { malformed: metrics.endpoint(MALFORMED), closing };
  const Response = class extends MeasuredResponse {
    constructor(req: IncomingMessage, options?: object) {
      super(metrics, shared, req, options);
    }
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node only calls `new Response(req, options)`
  return Response as unknown as typeof ServerResponse;
}
