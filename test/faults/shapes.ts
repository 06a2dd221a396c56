/** Bytes for a fresh connection to the product, and what may come back. */
export interface Shape {
  readonly name: string;
  readonly bytes: string | Buffer;
  /** The sequences of statuses that are right. */
  readonly answers: readonly (readonly number[])[];
  /** The number of answers that are counted under the endpoint `malformed`; any number if it is missing. */
  readonly malformed?: number;
  /** Nothing is wrong with the last request: the service may keep the connection. */
  readonly staysOpen?: boolean;
  readonly methods?: readonly string[];
}

const host = 'Host: localhost\r\n';
const head = (line: string, fields = host): string => `${line}\r\n${fields}\r\n`;
const get = head('GET / HTTP/1.1');
const post = (fields: string, body = '', path = '/echo'): string =>
  `POST ${path} HTTP/1.1\r\n${host}Content-Type: application/json\r\n${fields}\r\n${body}`;
const fields = (count: number): string => Array.from({ length: count }, (_, n) => `X-${n}: y\r\n`).join('');

/** Expects one answer with that status, counted as malformed, and a closed connection. */
const refused = (name: string, bytes: string | Buffer, ...statuses: number[]): Shape => ({
  name,
  bytes,
  answers: statuses.map((status) => [status]),
  malformed: 1,
});

/** A request that is right after all. */
const served = (name: string, bytes: string, ...statuses: number[]): Shape => ({
  name,
  bytes,
  answers: [statuses],
  malformed: 0,
  staysOpen: true,
});

const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body);

export const malformedShapes: readonly Shape[] = [
  refused('no HTTP at all', 'hello there\r\n\r\n', 400),
  refused('a method alone', 'GET\r\n\r\n', 400),
  refused('no version', head('GET /'), 400, 505),
  refused('a TLS handshake', Buffer.from('16030100a5010000a10303', 'hex'), 400),
  refused('a name that is not HTTP', head('GET / HTTX/1.1'), 400),
  refused('a version without a dot', head('GET / HTTP/11'), 400),
  refused('a method that is no token', head('G@T / HTTP/1.1'), 400),
  refused('an unknown method', head('BREW / HTTP/1.1'), 501),
  refused('a method in lower case', head('get / HTTP/1.1'), 501),
  refused('HTTP/0.9', head('GET / HTTP/0.9'), 505),
  refused('HTTP/2.0', head('GET / HTTP/2.0'), 505),
  refused('HTTP/3.0', head('GET / HTTP/3.0'), 505),
  refused('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505),
  refused('a field without a colon', head('GET / HTTP/1.1', `${host}nonsense\r\n`), 400),
  refused('a space before the colon', head('GET / HTTP/1.1', `${host}X-A : b\r\n`), 400),
  refused('a field without a name', head('GET / HTTP/1.1', `${host}: b\r\n`), 400),
  refused('a NUL in a value', head('GET / HTTP/1.1', `${host}X-A: a\0b\r\n`), 400),
  refused('a bare CR in a value', head('GET / HTTP/1.1', `${host}X-A: a\rb\r\n`), 400),
  refused('a field name with a control character', head('GET / HTTP/1.1', `${host}X\x01: b\r\n`), 400),
  refused('20 KB of header', head('GET / HTTP/1.1', `${host}X-A: ${'a'.repeat(20_000)}\r\n`), 431),
  refused('101 fields', head('GET / HTTP/1.1', host + fields(100)), 431),
  served('100 fields', head('GET / HTTP/1.1', host + fields(99)), 200),
  refused('a URI of 20 KB', head(`GET /${'a'.repeat(20_000)} HTTP/1.1`), 414, 431),
  served('a URI of 12 KB', head(`GET /${'a'.repeat(12_000)} HTTP/1.1`), 404),
  refused('a chunk size that is no number', chunked('zz\r\n\r\n'), 400),
  refused('a chunk size beyond 64 bits', chunked(`${'F'.repeat(17)}\r\n`), 400),
  refused('a chunk longer than its size', chunked('1\r\nxyz\r\n0\r\n\r\n'), 400),
  refused('a chunk extension of 20 KB', chunked(`1;${'a'.repeat(20_000)}\r\nx\r\n0\r\n\r\n`), 400, 413),
  refused('Transfer-Encoding: gzip, chunked', post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'), 501),
  refused('Transfer-Encoding: gzip', post('Transfer-Encoding: gzip\r\n'), 400, 501),
  refused('Transfer-Encoding: chunked, gzip', post('Transfer-Encoding: chunked, gzip\r\n'), 400),
  refused('Transfer-Encoding: identity', post('Transfer-Encoding: identity\r\n'), 400, 501),
  refused(
    'Transfer-Encoding in HTTP/1.0',
    `POST /echo HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ),
  refused('Content-Length: abc', post('Content-Length: abc\r\n'), 400),
  refused('Content-Length: -1', post('Content-Length: -1\r\n'), 400),
  refused('Content-Length beyond 64 bits', post(`Content-Length: ${'9'.repeat(20)}\r\n`), 400),
  {
    name: 'an expectation that is not 100-continue',
    bytes: post('Expect: a-miracle\r\nContent-Length: 0\r\n'),
    answers: [[417]],
    malformed: 1,
    staysOpen: true,
  },
  served(
    'Expect: 100-continue',
    post('Expect: 100-continue\r\nContent-Length: 15\r\n', '{"message":"x"}'),
    200,
  ),
  refused('CONNECT', head('CONNECT example.com:443 HTTP/1.1', 'Host: example.com:443\r\n'), 501),
  refused('no Host', 'GET / HTTP/1.1\r\n\r\n', 400),
  refused('two Hosts', head('GET / HTTP/1.1', 'Host: a\r\nHost: b\r\n'), 400),
  refused('a Host with a space', head('GET / HTTP/1.1', 'Host: a b\r\n'), 400),
  refused('a Host with a path', head('GET / HTTP/1.1', 'Host: a/b\r\n'), 400),
  refused('a Host with a user', head('GET / HTTP/1.1', 'Host: user@a\r\n'), 400),
  served('HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', 200),
  served('the absolute form', head('GET http://localhost/ HTTP/1.1'), 200),
  served('three requests at a time', get + head('GET /none HTTP/1.1') + get, 200, 404, 200),
  { name: 'a request, then garbage', bytes: `${get}garbage\r\n\r\n`, answers: [[200, 400]], malformed: 1 },
  { name: 'a header cut by the end', bytes: 'GET / HTTP/1.1\r\nHost', answers: [[], [400]], staysOpen: true },
];

const hidden = head('GET /hello/smuggled HTTP/1.1');
const refusedAll = [[400], [501]];
const inBody = (length: number): string => `Content-Length: ${length}\r\n`;

/** `hidden` is inside of what one reading takes for a body: it must never be answered. */
export const smugglingShapes: readonly Shape[] = [
  {
    name: 'CL and TE',
    bytes: post(`${inBody(4)}Transfer-Encoding: chunked\r\n`, `0\r\n\r\n${hidden}`),
    answers: [[400]],
  },
  {
    name: 'TE and CL',
    bytes: post(`Transfer-Encoding: chunked\r\n${inBody(4)}`, `0\r\n\r\n${hidden}`),
    answers: [[400]],
  },
  { name: 'two CLs that differ', bytes: post(inBody(0) + inBody(hidden.length), hidden), answers: [[400]] },
  { name: 'two CLs that agree', bytes: post(inBody(2) + inBody(2), '{}'), answers: [[400]] },
  { name: 'a list of CLs', bytes: post('Content-Length: 2, 2\r\n', '{}'), answers: [[400]] },
  { name: 'CL with a sign', bytes: post('Content-Length: +2\r\n', '{}'), answers: [[400]] },
  { name: 'CL in hexadecimal', bytes: post('Content-Length: 0x2\r\n', '{}'), answers: [[400]] },
  { name: 'CL with a space inside', bytes: post('Content-Length: 1 2\r\n', '{}'), answers: [[400]] },
  {
    name: 'TE: xchunked',
    bytes: post(`Transfer-Encoding: xchunked\r\n`, `0\r\n\r\n${hidden}`),
    answers: refusedAll,
  },
  {
    name: 'a space before the colon of TE',
    bytes: post(`Transfer-Encoding : chunked\r\n${inBody(5)}`, `0\r\n\r\n${hidden}`),
    answers: [[400]],
  },
  {
    name: 'a vertical tab in TE',
    bytes: post('Transfer-Encoding:\x0bchunked\r\n', `0\r\n\r\n${hidden}`),
    answers: refusedAll,
  },
  {
    name: 'TE twice',
    bytes: post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', `0\r\n\r\n${hidden}`),
    answers: refusedAll,
  },
  {
    name: 'TE: chunked, chunked',
    bytes: post('Transfer-Encoding: chunked, chunked\r\n', `0\r\n\r\n${hidden}`),
    answers: refusedAll,
  },
  { name: 'two Hosts', bytes: head('GET / HTTP/1.1', 'Host: a\r\nhost: a\r\n'), answers: [[400]] },
  { name: 'bare LF in the header', bytes: 'GET / HTTP/1.1\nHost: x\n\n', answers: [[400]] },
  {
    name: 'bare LF after a field',
    bytes: `GET / HTTP/1.1\r\n${host}X-A: b\nX-B: c\r\n\r\n`,
    answers: [[400]],
  },
  { name: 'bare LF in chunks', bytes: chunked('2\n{}\n0\n\n'), answers: [[400]] },
  { name: 'obs-fold', bytes: head('GET / HTTP/1.1', `${host}X-A: b\r\n c\r\n`), answers: [[400]] },
  {
    name: 'obs-fold of TE',
    bytes: post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${hidden}`),
    answers: refusedAll,
  },
  { name: 'a folded first field', bytes: `GET / HTTP/1.1\r\n Host: x\r\n\r\n`, answers: [[400]] },
  { name: 'a chunk size with a prefix', bytes: chunked('0x2\r\n{}\r\n0\r\n\r\n'), answers: [[400]] },
  { name: 'a chunk size with a sign', bytes: chunked('-2\r\n{}\r\n0\r\n\r\n'), answers: [[400]] },
  { name: 'LF in a chunk extension', bytes: chunked('2;a\n{}\r\n0\r\n\r\n'), answers: [[400]] },
  {
    name: 'a body with GET',
    bytes: `GET / HTTP/1.1\r\n${host}${inBody(hidden.length)}\r\n${hidden}${get}`,
    answers: [[200, 200]],
    staysOpen: true,
  },
  {
    name: 'a body for 404',
    bytes: post(inBody(hidden.length), hidden, '/none') + get,
    answers: [[404, 200], [404]],
    staysOpen: true,
  },
  {
    name: 'a body for 405',
    bytes: post(inBody(hidden.length), hidden, '/') + get,
    answers: [[405, 200], [405]],
    staysOpen: true,
  },
  {
    name: 'a chunked body for 404',
    bytes: `POST /none HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n${get}`,
    answers: [[404, 200], [404]],
    staysOpen: true,
  },
  {
    name: 'a body for 415',
    bytes: `POST /echo HTTP/1.1\r\n${host}Content-Type: text/plain\r\n${inBody(hidden.length)}\r\n${hidden}${get}`,
    answers: [[415, 200], [415]],
    staysOpen: true,
  },
  {
    name: 'a body for 413',
    bytes: post(inBody(hidden.length * 5000), hidden.repeat(5000)) + get,
    answers: [[413, 200], [413]],
    staysOpen: true,
  },
  {
    name: 'a chunked body for 413',
    bytes: chunked(`${(hidden.length * 5000).toString(16)}\r\n${hidden.repeat(5000)}\r\n0\r\n\r\n`) + get,
    answers: [[413, 200], [413]],
    staysOpen: true,
  },
  {
    name: 'HEAD, then GET',
    bytes: head('HEAD / HTTP/1.1') + get,
    answers: [[200, 200]],
    staysOpen: true,
    methods: ['HEAD', 'GET'],
  },
  {
    name: 'an upgrade that is not taken',
    bytes: head('GET / HTTP/1.1', `${host}Connection: Upgrade\r\nUpgrade: h2c\r\n`) + get,
    answers: [[200, 200], [200]],
    staysOpen: true,
  },
  {
    name: 'a request after Connection: close',
    bytes: head('GET / HTTP/1.1', `${host}Connection: close\r\n`) + hidden,
    answers: [[200]],
  },
];
