import type { Place } from '../description.js';
import { essenceOf, isJson } from '../media-type.js';
import { keywordOf } from './conjuncts.js';

/** Tells whether a schema describes bytes, in the words of OpenAPI 3.0 or of 3.1 (section 4.8.14.3). */
export function isBinary(schema: Place): boolean {
  if (keywordOf(schema, 'format')?.value === 'binary') return true;
  const type = keywordOf(schema, 'contentMediaType')?.string();
  return type !== undefined && keywordOf(schema, 'contentEncoding') === undefined && !isJson(essenceOf(type));
}
