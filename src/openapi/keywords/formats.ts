import { isIPv4, isIPv6 } from 'node:net';
import type { Format } from 'ajv';
import { fullFormats } from 'ajv-formats/dist/formats';

const integer = (least: number, most: number): Format => ({
  type: 'number',
  validate: (value: number) => Number.isInteger(value) && value >= least && value <= most,
});

type Check = (text: string) => boolean;

/** Returns the check of a format of ajv-formats, which has several forms there. */
function checkOf(name: 'date' | 'time' | 'date-time'): Check {
  const format = fullFormats[name];
  if (typeof format !== 'object' || !('validate' in format) || typeof format.validate !== 'function')
    throw new Error(`ajv-formats has changed its "${name}"`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- formats of text take a text
  return format.validate as Check;
}

const isDate = checkOf('date');
const isTime = checkOf('time');
const isDateTime = checkOf('date-time');

/** A text that ends in the offset of a zone (RFC 3339 section 5.6). */
const ZONED = /^\S+(?:z|[+-]\d\d:\d\d)$/i;

const TIME = /^(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?$/;

/** A date and a time without its zone. */
function isLocal(text: string): boolean {
  return /^[^T]{10}T/i.test(text) && isDate(text.slice(0, 10)) && TIME.test(text.slice(11));
}

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const DOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`, 'i');
const ATOM = "[\\w!#$%&'*+/=?^`{|}~-]+";
const LOCAL_PART = new RegExp(`^(?:${ATOM}(?:\\.${ATOM})*|"(?:[ !#-[\\]-~]|\\\\[ -~])*")$`);

/** A mailbox (RFC 5321 section 4.1.2). */
function isEmail(text: string): boolean {
  const at = text.lastIndexOf('@');
  const domain = text.slice(at + 1);
  const [, address = ''] = /^\[(.*)\]$/.exec(domain) ?? [];
  const isHost =
    isIPv4(address) || (/^IPv6:/i.test(address) && isIPv6(address.slice(5))) || DOMAIN.test(domain);
  return at > 0 && isHost && LOCAL_PART.test(text.slice(0, at));
}

/** Formats of the OpenAPI registry and of JSON Schema that have nothing to check. */
const ANNOTATIONS =
  'binary password float double commonmark html decimal decimal128 media-range idn-email idn-hostname iri iri-reference sf-binary sf-boolean sf-decimal sf-integer sf-string sf-token'.split(
    ' ',
  );

/**
 * Formats by name; `true` for a known one that checks nothing. The validators that the
 * build has compiled load them too.
 */
export const formats: Readonly<Record<string, Format>> = {
  ...fullFormats,
  ...Object.fromEntries(ANNOTATIONS.map((name) => [name, true as const])),
  int8: integer(-(2 ** 7), 2 ** 7 - 1),
  int16: integer(-(2 ** 15), 2 ** 15 - 1),
  int32: integer(-(2 ** 31), 2 ** 31 - 1),
  uint8: integer(0, 2 ** 8 - 1),
  uint16: integer(0, 2 ** 16 - 1),
  uint32: integer(0, 2 ** 32 - 1),
  uint64: integer(0, 2 ** 64),
  'double-int': integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  base64url: /^[\w-]*={0,2}$/,
  char: /^.$/su,
  // ajv-formats takes a space or a line break in place of the T, an offset without colon or minutes, and a
  // line of base64 among others.
  'date-time': (text: string) => ZONED.test(text) && isDateTime(text),
  time: (text: string) => ZONED.test(text) && isTime(text),
  'date-time-local': isLocal,
  'time-local': TIME,
  byte: (text: string) => text.length % 4 === 0 && /^[a-z\d+/]*={0,2}$/i.test(text),
  email: isEmail,
  uuid: /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/i,
};

export function isKnownFormat(name: string): boolean {
  return Object.hasOwn(formats, name);
}
