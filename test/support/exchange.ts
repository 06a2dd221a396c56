import { connect } from 'node:net';
import { type Answer, AnswerParser } from './answer-parser';

export interface Exchange {
  /** Every answer that came, in order. */
  readonly answers: readonly Answer[];
  /** All bytes that came, as latin1 text. */
  readonly text: string;
  /** Milliseconds from the first byte sent until the socket closed; undefined when it was still open at the deadline. */
  readonly closedAfterMs: number | undefined;
  /** The strict parser's objection to the bytes, or the note that an answer was cut. */
  readonly malformed: string | undefined;
  readonly error: string | undefined;
}

export interface ExchangeOptions {
  /** Parts to send, each after the pause before it (milliseconds). */
  readonly parts?: readonly { readonly afterMs: number; readonly bytes: string | Buffer }[];
  /** Default 5000. The socket is destroyed then. */
  readonly deadlineMs?: number;
  /** Return as soon as so many answers are complete, instead of waiting for the close. */
  readonly answers?: number;
  /** Half-close after the last byte. */
  readonly end?: boolean;
  /** Methods of the requests sent, for HEAD. */
  readonly methods?: readonly string[];
}

/** Sends the bytes as they are to 127.0.0.1:`port` and reports all that came back until the socket closed. Never rejects. */
export function rawExchange(
  port: number,
  bytes: string | Buffer,
  options: ExchangeOptions = {},
): Promise<Exchange> {
  return new Promise((resolve) => {
    const answers: Answer[] = [];
    const chunks: Buffer[] = [];
    const timers: NodeJS.Timeout[] = [];
    let malformed: string | undefined;
    let error: string | undefined;
    let open = true;
    const started = performance.now();
    const parser = new AnswerParser((answer) => answers.push(answer));
    for (const method of options.methods ?? []) parser.expect(method);
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const finish = (closedAfterMs: number | undefined): void => {
      if (!open) return;
      open = false;
      timers.forEach(clearTimeout);
      socket.destroy();
      if (parser.partial) malformed ??= 'an unfinished answer';
      const text = Buffer.concat(chunks).toString('latin1');
      resolve({ answers, text, closedAfterMs, malformed, error });
    };
    const guarded = (parse: () => void): void => {
      try {
        if (malformed === undefined) parse();
      } catch (cause) {
        malformed = String(cause);
      }
    };
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      guarded(() => parser.push(chunk));
      if (options.answers !== undefined && answers.length >= options.answers) finish(undefined);
    });
    socket.on('end', () => {
      guarded(() => parser.end());
      finish(performance.now() - started);
    });
    socket.on('error', (cause) => {
      error = cause.message;
    });
    socket.on('close', () => finish(performance.now() - started));
    timers.push(setTimeout(() => finish(undefined), options.deadlineMs ?? 5000));
    sendParts(socket, bytes, options, timers);
  });
}

function sendParts(
  socket: NodeJS.WritableStream,
  bytes: string | Buffer,
  options: ExchangeOptions,
  timers: NodeJS.Timeout[],
): void {
  socket.write(latin1(bytes));
  let at = 0;
  for (const part of options.parts ?? []) {
    at += part.afterMs;
    timers.push(setTimeout(() => socket.write(latin1(part.bytes)), at));
  }
  if (options.end === true) timers.push(setTimeout(() => socket.end(), at));
}

function latin1(part: string | Buffer): Buffer {
  return typeof part === 'string' ? Buffer.from(part, 'latin1') : part;
}

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly deadlineMs?: number;
}

/** Sends one request on a connection of its own. Throws unless exactly one whole answer came. */
export async function request(port: number, path: string, options: RequestOptions = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = options;
  const bytes = requestBytes({ method, path, headers: { Connection: 'close', ...headers }, body });
  const deadlineMs = options.deadlineMs ?? 5000;
  const exchange = await rawExchange(port, bytes, {
    deadlineMs,
    methods: [method],
    answers: 1,
  });
  const [answer] = exchange.answers;
  if (answer === undefined || exchange.malformed !== undefined) {
    const none =
      exchange.closedAfterMs === undefined ? `no answer in ${deadlineMs} ms` : 'closed without an answer';
    throw new Error(`${method} ${path}: ${exchange.malformed ?? exchange.error ?? none}`);
  }
  return answer;
}

/** A well-formed request with `Host`, and `Content-Length` where there is a body. */
export function requestBytes(options: {
  method: string;
  path: string;
  headers?: Readonly<Record<string, string>> | undefined;
  body?: string | Buffer | undefined;
}): Buffer {
  const { method, path, headers = {}, body } = options;
  const fields = Object.entries({ Host: 'localhost', ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  const length = body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${fields.join('')}${length}\r\n`, 'latin1');
  return body === undefined ? head : Buffer.concat([head, Buffer.from(body)]);
}
