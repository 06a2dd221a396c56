import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { closePatiently } from '../lingering-close.js';
import type { Endpoint, RequestMetrics } from '../../metrics/request-metrics.js';
import { isAcceptable, isAcceptableEnd } from './acceptable.js';
import { Measurement } from './measurement.js';
import { byteLength, StreamedBody, type WriteCallback } from './streamed-body.js';

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
  /** The status of the header that is made: an app may set another one later, which no client sees. */
  #sentStatus: number | undefined;
  /** The headers that `writeHead` was given, which `getHeader` does not know. */
  #given: unknown;
  #body: StreamedBody | undefined;

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

  get #status(): number {
    return this.#sentStatus ?? this.statusCode;
  }

  /** Counts the request with this status, unless it has been counted already. */
  #count(status: number): void {
    if (this.measurement.counted) return;
    const connection: Connection = this.req.socket;
    connection[EARLIER]?.delete(this);
    this.measurement.count(status);
  }

  /**
   * Counts the answer if those to earlier requests of the connection have been sent. Its client may leave
   * before that. Returns whether it is counted.
   */
  #countInTurn(): boolean {
    if (!this.socket || this.socket.destroyed) return false;
    this.#count(this.#status);
    return true;
  }

  /** Counts and sends an answer whose turn has come. Called by Node. */
  override assignSocket(socket: Socket): void {
    if (this.#awaitsTurn) this.#count(this.#status);
    // With an end that is held, Node would take the answer for complete.
    if (this.#body) this.#open(() => super.assignSocket(socket));
    else super.assignSocket(socket);
    this.#body?.release();
  }

  /**
   * Prepares the close of a connection whose answer has been sent. Called by Node, which closes
   * it if the answer is the last.
   */
  override detachSocket(socket: Socket): void {
    super.detachSocket(socket);
    if (!this.req.complete) closePatiently(socket, this.req);
  }

  /**
   * Counts an answer that is cut off, with the status that its client has seen, or else with the given one.
   */
  #cutOff(status: number): void {
    this.#count(this.socket && this.headersSent ? this.#status : status);
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
   * this side broke the answer off, or destroyed the socket, whose end nobody has read then.
   */
  static closed(connection: Connection): void {
    const isDestroyedHere = !connection.readableEnded && !connection.errored;
    for (const response of MeasuredResponse.pending(connection)) {
      if (response.#brokenOff || isDestroyedHere) response.#cutOff(CLIENT_LEFT);
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
    if (typeof reason === 'string') super.writeHead(statusCode, reason, headers);
    else super.writeHead(statusCode, headers ?? reason);
    this.#sentStatus = this.statusCode;
    return this;
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
    if (this.measurement.counted || this.finished || !isAcceptable(this, chunk, encoding))
      return typeof encoding === 'string'
        ? super.write(chunk, encoding, callback)
        : super.write(chunk, encoding ?? callback);
    const body = (this.#body ??= new StreamedBody(this, this.#given, () => this.#countInTurn()));
    const length = byteLength(chunk, encoding);
    this.measurement.streamed += length;
    const send = () => this.#open(() => this.#send(body, chunk, encoding, callback));
    return body.isEndedBy(length) ? body.last(send) : send();
  }

  override end(chunk?: unknown, encoding?: BufferEncoding | (() => void), callback?: () => void): this {
    if (this.finished || !isAcceptableEnd(this, chunk, encoding)) return this.#end(chunk, encoding, callback);
    this.measurement.ended = true;
    if (this.#body) {
      // As Node's `end` does. The end waits for parts that would stay in the cork for ever.
      while (this.socket && this.socket.writableCorked > 0) this.socket.uncork();
      while (this.writableCorked > 0) this.uncork();
      this.finished = true;
      this.#body.last(() => this.#open(() => this.#end(chunk, encoding, callback)));
      return this;
    }
    if (!this.#countInTurn()) this.#awaitsTurn = true;
    const isText = typeof chunk === 'string' && chunk !== '';
    const isWhole = isText && encoding === undefined && callback === undefined;
    if (isWhole && this.socket && this.hasHeader('Content-Length')) return this.#endWhole(chunk, this.socket);
    return this.#end(chunk, encoding, callback);
  }

  /**
   * Does a step of an answer whose end may be held already. The app sees the answer as ended, as Node has it,
   * and Node would refuse the step.
   */
  #open<Result>(step: () => Result): Result {
    const isEnded = this.finished;
    this.finished = false;
    try {
      return step();
    } finally {
      this.finished ||= isEnded;
    }
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

  /** Passes on a write of a streamed body. */
  #send(
    body: StreamedBody,
    chunk: unknown,
    encoding?: BufferEncoding | WriteCallback,
    callback?: WriteCallback,
  ): boolean {
    const done = typeof encoding === 'function' ? encoding : callback;
    return super.write(chunk, typeof encoding === 'string' ? encoding : 'utf8', body.sent(done));
  }
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
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node only calls `new` with these
  return Response as unknown as typeof ServerResponse;
}
