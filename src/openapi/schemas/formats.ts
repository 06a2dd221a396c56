import type { Format } from 'ajv';
import { fullFormats } from 'ajv-formats/dist/formats';

const integer = (least: number, most: number): Format => ({
  type: 'number',
  validate: (value: number) => Number.isInteger(value) && value >= least && value <= most,
});

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
  'date-time-local': /^\d{4}-(?:0\d|1[0-2])-(?:[0-2]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?$/i,
  'time-local': /^(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?$/,
};

export function isKnownFormat(name: string): boolean {
  return Object.hasOwn(formats, name);
}
