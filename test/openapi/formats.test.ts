import { Ajv2020 } from 'ajv/dist/2020.js';
import { formats } from '../../src/openapi/keywords/formats';

const ajv = new Ajv2020({ formats: { ...formats } });
const isValid = (format: string, text: string) => ajv.validate({ type: 'string', format }, text);

const GOOD: Readonly<Record<string, readonly string[]>> = {
  byte: ['', 'AA==', 'AAA=', 'ab+/', 'A'.repeat(100_000)],
  'date-time': [
    '2024-02-29T00:00:00Z',
    '2024-01-01t00:00:00z',
    '2024-01-01T00:00:00.25+05:30',
    '2016-12-31T23:59:60Z',
  ],
  'date-time-local': ['2024-02-29T23:59:59', '2024-01-01t00:00:00.5'],
  email: [
    'a@b.example',
    'user@localhost',
    'joe@[127.0.0.1]',
    'joe@[IPv6:::1]',
    '"a b"@example.com',
    '"a\\"@b"@c',
    "o'x.y+z@b",
  ],
  time: ['00:00:00Z', '23:59:59.5-08:00'],
  uuid: ['123e4567-e89b-12d3-a456-426614174000', '123E4567-E89B-12D3-A456-426614174000'],
};

const BAD: Readonly<Record<string, readonly string[]>> = {
  byte: ['AA', 'AAAA\nAAAA', '!!!\nAAAA', 'not base64 at all\n', 'AAAA\n', 'ab-_', '====', 'A==='],
  'date-time': [
    '2024-01-01 00:00:00Z',
    '2024-01-01\n00:00:00Z',
    '2024-01-01T00:00:00Z\n',
    '2024-01-01T00:00:00',
    '2023-02-29T00:00:00Z',
    '2024-01-01T00:00:00+0530',
    '2024-01-01T00:00:00+05',
  ],
  'date-time-local': [
    '2024-00-01T00:00:00',
    '2024-02-31T00:00:00',
    '2024-01-01T24:00:00',
    '2024-01-01 00:00:00',
    '2024-01-01T00:00:00\n',
    '2024-01-01T00:00:00Z',
    '',
  ],
  email: [
    '',
    'a',
    '@b',
    'a@',
    '.a@b.c',
    'a.@b',
    'a..b@c',
    'a b@c',
    'a@b c',
    'a@-b',
    'a@b-',
    'a@b.',
    'a@b\n',
    'a@[1.2.3]',
    'a@[::1]',
    '"a@b',
    'a@b@c',
    '"a\nb"@c',
  ],
  time: ['00:00:00', '00:00:00+0530', '24:00:00Z', '00:00:00Z\n'],
  uuid: [
    'urn:uuid:123e4567-e89b-12d3-a456-426614174000',
    '123e4567e89b12d3a456426614174000',
    '123e4567-e89b-12d3-a456-42661417400g',
  ],
};

const cases = (table: typeof GOOD) =>
  Object.entries(table).flatMap(([format, texts]) => texts.map((text) => [format, text] as const));

test.each(cases(GOOD))('%s takes %j', (format, text) => expect(isValid(format, text)).toBe(true));

test.each(cases(BAD))('%s refuses %j', (format, text) => expect(isValid(format, text)).toBe(false));
