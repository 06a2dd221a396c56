import { createHash } from 'node:crypto';

/** The file of an operation's handler, and its name in that file. */
export interface HandlerName {
  readonly id: string;
  /** Below src/handlers, without extension. */
  readonly file: string;
  /** The name under which the file exports the handler. */
  readonly name: string;
}

/**
 * Returns the file and the name that the handler of each operation is expected to have:
 * `list-boxes.ts` exports `listBoxes`.
 */
export function handlerNames(ids: readonly string[]): HandlerName[] {
  const taken = new Set<string>();
  return ids.map((id) => {
    const plain = kebabCase(id) || 'operation';
    let file = plain;
    for (let count = 2; taken.has(keyOf(file)); count += 1) file = `${plain}-${count}`;
    taken.add(keyOf(file));
    return { id, file, name: identifierOf(id) };
  });
}

/**
 * Finds the handler of each operation among these files, which are paths below
 * src/handlers without extension.
 */
export function findHandlers(ids: readonly string[], files: readonly string[]): HandlerName[] {
  const byKey = new Map<string, string>();
  // A folder is a part of the handler's name, or only keeps files apart: both are found.
  for (const file of files) byKey.set(keyOf(file.split('/').at(-1) ?? ''), file);
  for (const file of files) byKey.set(keyOf(file), file);
  return handlerNames(ids).flatMap((expected) => {
    const file = byKey.get(keyOf(expected.file));
    return file === undefined ? [] : [{ ...expected, file }];
  });
}

/** Returns the same text for all ways of writing a name, such as `getBoxes` and `get-boxes`. */
function keyOf(name: string): string {
  return words(name).join('-').toLowerCase();
}

/** The most bytes of a file's name, to which `.d.ts`, `.js.map` or a number is added: systems allow 255. */
const LONGEST = 200;

/** Returns the words of an id; where they are too long for a file, their beginning and a digest of the id. */
function kebabCase(id: string): string {
  const whole = keyOf(id);
  if (Buffer.byteLength(whole) <= LONGEST) return whole;
  const start = Array.from(whole).slice(0, LONGEST / 5);
  return keyOf(`${start.join('')}-${createHash('sha256').update(id).digest('hex').slice(0, 8)}`);
}

/** `get-boxes`, `getBoxes` and `boxes/get` have two words each. */
function words(name: string): string[] {
  return name
    .replaceAll(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1 $2')
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
}

/** Returns the id itself where it can be a name of TypeScript, or else its words as one. */
export function identifierOf(id: string): string {
  if (/^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(id)) return id;
  const [first = 'operation', ...others] = words(id.replaceAll(/[^\p{ID_Continue}$]+/gu, ' '));
  const name = first + others.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return /^\p{ID_Start}/u.test(name) ? name : `_${name}`;
}
