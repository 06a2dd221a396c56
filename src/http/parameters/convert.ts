import type { Shape } from '../../openapi/schemas/shape.js';

/**
 * A number as JSON writes it: without this `0x10`, ` 1` and `Infinity` would be
 * numbers, and `1e400` infinite.
 */
const NUMBER = /^-?(?:0|[1-9]\d{0,30})(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?$/;

/**
 * Converts a text to a value that its schema allows. A text that is none of these stays as it is: the
 * schema then reports the mistake.
 */
export function convert(text: string, shape: Shape | undefined): unknown {
  const types = shape?.types;
  if (!types || types.size === 0) return text;
  if ((types.has('number') || types.has('integer')) && NUMBER.test(text)) {
    const number = Number(text);
    // An integer that a double can't hold would be changed without an error.
    const isExact = Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number));
    if (isExact && isMeant(number, shape)) return number;
  }
  if (types.has('boolean') && (text === 'true' || text === 'false') && isMeant(text === 'true', shape))
    return text === 'true';
  return text;
}

/** Tells whether a text stands for this value where it may stand for itself, too. */
function isMeant(value: number | boolean, shape: Shape): boolean {
  return !shape.types.has('string') || shape.takes(value);
}

/** Tells whether this text can be a value that is no list, where the schema allows lists too. */
export function isScalar(text: string, shape: Shape): boolean {
  return shape.types.has('string') || typeof convert(text, shape) !== 'string';
}
