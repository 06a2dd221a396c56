import { isBoxedPrimitive } from 'node:util/types';

/**
 * Returns the value that a client reads from the JSON of a value: the value itself if it is plain data all
 * the way down; otherwise a copy, after `toJSON`, in which values that JSON does not have (undefined,
 * functions, NaN, inherited properties) are missing or null.
 */
export function jsonValue(value: unknown, key: string | number = ''): unknown {
  switch (typeof value) {
    case 'object':
      if (value === null) return null;
      if (hasToJson(value)) return jsonValue(value.toJSON(String(key)));
      return Array.isArray(value) ? jsonArray(value) : jsonObject(value);
    case 'number':
      return Number.isFinite(value) ? value : null;
    case 'function':
    case 'symbol':
    case 'undefined':
      return undefined;
    default:
      return value;
  }
}

function hasToJson(value: object): value is { toJSON(key: string): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}

function jsonArray(value: readonly unknown[]): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < value.length; index += 1) {
    const json = jsonValue(value[index], index) ?? null;
    if (json !== value[index]) (copy ??= [...value])[index] = json;
  }
  return copy ?? value;
}

function jsonObject(value: object): unknown {
  if (!isPlain(value)) return isBoxedPrimitive(value) ? value.valueOf() : jsonCopy(value);
  let index = 0;
  // No list of keys is made for an object that stays as it is, as nearly all do.
  for (const key in value) {
    const field = value[key];
    const json = jsonValue(field, key);
    if (json !== field || json === undefined) return jsonCopy(value, index, json);
    index += 1;
  }
  return value;
}

function isPlain(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * Copies an object as JSON has it.
 * @param first the index of its first field that JSON does not have as it is, or -1 where none is known to be
 *   as it is
 * @param json what JSON has for that field
 */
function jsonCopy(value: object, first = -1, json?: unknown): unknown {
  const fields = Object.entries(value);
  for (const [index, field] of fields.entries()) {
    if (index === first) field[1] = json;
    else if (index > first) field[1] = jsonValue(field[1], field[0]);
  }
  return Object.fromEntries(fields.filter(([, written]) => written !== undefined));
}
