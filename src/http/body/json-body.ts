import { pointerStep } from '../../openapi/pointer.js';
import type { Fault } from '../../openapi/schemas/validation.js';
import { Problem } from '../problem.js';
import { messageOf } from '../../thrown.js';

const [QUOTE, BACKSLASH, BRACE, BRACE_END, BRACKET, BRACKET_END] = [0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d];

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The greatest depth of nesting in a body: code that walks through a much deeper one runs out of stack. */
const DEEPEST = 100;

/**
 * A text with more objects and arrays is measured before it is parsed: `JSON.parse` takes 0.4 s for a
 * megabyte of `[`. The others are walked through as values, which costs half as much as a walk through the
 * text.
 */
const MANY = 1000;

/** The place of a JSON text in a request. */
export type Spot = Pick<Fault, 'in' | 'path'>;

const BODY: Spot = { in: 'body', path: '' };

/**
 * Parses the JSON text of a body. Throws a 400 for a text that is not JSON, is nested too deeply,
 * or would pollute a prototype.
 */
export function parseJson(text: string): unknown {
  try {
    return parseDocument(text, BODY);
  } catch (error) {
    throw error instanceof SyntaxError ? malformed(`is not JSON: ${messageOf(error)}`) : error;
  }
}

/** Parses a JSON text at any place, as `parseJson` does. Throws a SyntaxError for a text that is not JSON. */
export function parseDocument(text: string, spot: Spot): unknown {
  if (hasMany(text)) refuseDepth(text, spot);
  const value: Json = JSON.parse(text);
  if (isSuspect(value)) {
    refuseDepth(text, spot);
    refuseChangedNumbers(text, value, spot);
    refusePrototypes(value, spot);
  }
  return value;
}

/**
 * Tells whether a value has a number that a double may not hold, or a key `__proto__`, or is nested too
 * deeply.
 */
function isSuspect(value: Json, level = 0): boolean {
  if (typeof value === 'number') return Math.abs(value) > Number.MAX_SAFE_INTEGER;
  if (typeof value !== 'object' || value === null) return false;
  if (level === DEEPEST) return true;
  let found = false;
  if (Array.isArray(value)) {
    for (const item of value) if (isSuspect(item, level + 1)) found = true;
    return found;
  }
  for (const key in value) {
    const field = value[key];
    if (key === '__proto__' || (field !== undefined && isSuspect(field, level + 1))) found = true;
  }
  return found;
}

/** Refuses numbers that `JSON.parse` has changed to another number, or to Infinity, without an error. */
function refuseChangedNumbers(text: string, value: unknown, spot: Spot): void {
  for (const token of numbersIn(text)) {
    const number = Number(token);
    const isInteger = /^-?\d{16,}(?:\.0+)?$/.test(token);
    if (isInteger ? Number.isSafeInteger(number) : Number.isFinite(number) && !isChanged(token, number))
      continue;
    const message = `has the ${isInteger ? 'integer' : 'number'} ${token.slice(0, 40)}, which is too large to be kept as it is`;
    throw malformed(message, below(spot, pathTo(number, value) ?? ''));
  }
}

/** Tells whether an integer that is written with an exponent has become another one. */
function isChanged(token: string, number: number): boolean {
  if (!/e/i.test(token) || Math.abs(number) <= Number.MAX_SAFE_INTEGER || !isWhole(token)) return false;
  // A double of another program may have 17 digits: those that JavaScript writes for it.
  return digitsOf(token) !== digitsOf(String(number));
}

/** Tells whether the digits behind the point are no more than its exponent moves before it. */
function isWhole(token: string): boolean {
  const [digits = '', exponent = '0'] = token.toLowerCase().split('e');
  const [, fraction = ''] = digits.split('.');
  return Number(exponent) >= withoutLastZeros(fraction).length;
}

/** Returns the digits of a number from the first to the last that is not 0. */
function digitsOf(token: string): string {
  const [digits = ''] = token.toLowerCase().split('e');
  return withoutLastZeros(digits.replace(/[-.]/g, '').replace(/^0+/, ''));
}

/**
 * Takes the zeros off the end. A pattern takes the square of the length where there are many in the midst.
 */
function withoutLastZeros(digits: string): string {
  let end = digits.length;
  while (digits[end - 1] === '0') end -= 1;
  return digits.slice(0, end);
}

/** Finds the numbers outside of strings. One pattern for both would run out of stack in a string of 20 MB. */
function* numbersIn(text: string): Generator<string> {
  for (let at = 0; at < text.length;) {
    const quote = text.indexOf('"', at);
    const end = quote < 0 ? text.length : quote;
    for (const [token] of text.slice(at, end).matchAll(/-?\d[\d.eE+-]*/g)) yield token;
    at = endOfString(text, end + 1) + 1;
  }
}

/** Returns the path (RFC 6901) of the first such number in a value; undefined if there is none. */
function pathTo(wanted: number, value: unknown): string | undefined {
  if (value === wanted) return '';
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, child] of Object.entries(value)) {
    const path = pathTo(wanted, child);
    if (path !== undefined) return pointerStep(key) + path;
  }
  return undefined;
}

/**
 * Refuses the key `__proto__`: `JSON.parse` is safe with it, but code that copies the value with `=` is not.
 */
function refusePrototypes(value: unknown, spot: Spot): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    refusePrototype(key, spot);
    refusePrototypes(child, below(spot, pointerStep(key)));
  }
}

/** Throws a 400 for the key or the name `__proto__` at this place. */
export function refusePrototype(key: string, spot = BODY): void {
  if (key === '__proto__') throw malformed('is not allowed', below(spot, pointerStep(key)));
}

/** Tells whether a text may have more than `MANY` objects and arrays. */
function hasMany(text: string): boolean {
  let count = 0;
  for (const bracket of '{[')
    for (let at = text.indexOf(bracket); at >= 0 && count <= MANY; at = text.indexOf(bracket, at + 1))
      count += 1;
  return count > MANY;
}

function depth(text: string): number {
  let deepest = 0;
  let level = 0;
  for (let index = 0; index < text.length; index += 1) {
    switch (text.charCodeAt(index)) {
      case QUOTE:
        index = endOfString(text, index + 1);
        break;
      case BRACE:
      case BRACKET:
        level += 1;
        if (level > deepest) deepest = level;
        break;
      case BRACE_END:
      case BRACKET_END:
        level -= 1;
        break;
      default:
    }
  }
  return deepest;
}

/** Returns the place of the quote that ends a string which begins here. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start);
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

function isEscaped(text: string, index: number): boolean {
  let slashes = 0;
  while (text.charCodeAt(index - 1 - slashes) === BACKSLASH) slashes += 1;
  return slashes % 2 === 1;
}

function refuseDepth(text: string, spot: Spot): void {
  if (depth(text) > DEEPEST) throw malformed(`is nested more than ${DEEPEST} levels deep`, spot);
}

function below({ in: location, path }: Spot, more: string): Spot {
  return { in: location, path: path + more };
}

/** Makes the 400 for a body, or another part of a request, that is broken at this place. */
export function malformed(message: string, spot = BODY): Problem {
  return new Problem(400, `The ${spot.in} can not be read.`, { errors: [{ ...spot, message }] });
}
