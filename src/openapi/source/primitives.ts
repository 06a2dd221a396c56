import { regExp } from '../keywords/reg-exp.js';
import { messageOf } from '../../thrown.js';

export const TYPES = ['string', 'number', 'integer', 'boolean', 'null', 'array', 'object'] as const;

const DIALECT =
  /^https:\/\/(?:json-schema\.org\/draft\/2020-12\/schema|spec\.openapis\.org\/oas\/3\.[12]\/dialect\/[\w-]+)#?$/;

/** Returns the mistake in a value of a primitive field of the grammar; `undefined` if there is none. */
export function primitiveFault(field: string, value: unknown): string | undefined {
  switch (field) {
    case 'text':
      return typeof value === 'object' && value !== null ? 'should be text' : undefined;
    case 'string':
      return typeof value === 'string' ? undefined : told('text', value);
    case 'boolean':
      return typeof value === 'boolean' ? undefined : told('true or false', value);
    case 'number':
      return Number.isFinite(value) ? undefined : told('a number', value);
    case 'positive':
      return Number.isFinite(value) && Number(value) > 0 ? undefined : told('a number above 0', value);
    case 'count':
      return Number.isInteger(value) && Number(value) >= 0 ? undefined : told('a whole number from 0', value);
    case 'type':
      return [value].flat().every(isType) && [value].flat().length > 0
        ? undefined
        : told(`one or more of ${TYPES.join(', ')}`, value);
    case 'pattern':
      return typeof value === 'string' ? patternFault(value) : told('text', value);
    case 'dialect':
      return DIALECT.test(String(value))
        ? undefined
        : told('JSON Schema 2020-12 or the dialect of OpenAPI 3.1 or 3.2, which schemas are read as', value);
    case 'names':
      return Array.isArray(value) && value.every((name) => typeof name === 'string')
        ? undefined
        : told('a list of names', value);
    default:
      return undefined;
  }
}

function isType(value: unknown): boolean {
  return TYPES.some((type) => type === value);
}

function told(expected: string, value: unknown): string {
  return `must be ${expected}, and is ${value === null ? 'empty' : JSON.stringify(value)}`;
}

function patternFault(pattern: string): string | undefined {
  try {
    regExp(pattern);
    return undefined;
  } catch (error) {
    return messageOf(error).replace(/^Invalid regular expression: /, 'is no regular expression: ');
  }
}
