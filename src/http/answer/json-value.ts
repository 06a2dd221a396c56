import { isBoxedPrimitive } from 'node:util/types';

/**
 * Returns the value that a client reads from the JSON of a value: the value itself if it is plain data all
 * the way down; otherwise a copy, after `toJSON`, in which values that JSON does not have (undefined,
 * functions, NaN, inherited properties) are missing or null.
 */
export function jsonValue(value: unknown, key = ''): unknown {
  switch (typeof value) {
    case 'object':
      if (value === null) return null;
      if (hasToJson(value)) return jsonValue(value.toJSON(key));
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
    const json = jsonValue(value[index], String(index)) ?? null;
    if (json !== value[index]) (copy ??= [...value])[index] = json;
  }
  return copy ?? value;
}

function jsonObject(value: object): unknown {
  if (isBoxedPrimitive(value)) return value.valueOf();
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === Object.prototype || prototype === null;
  const fields = Object.entries(value);
  let changed = !isPlain;
  for (const field of fields) {
    const json = jsonValue(field[1], field[0]);
    changed ||= json !== field[1] || json === undefined;
    field[1] = json;
  }
  return changed ? Object.fromEntries(fields.filter(([, json]) => json !== undefined)) : value;
}
