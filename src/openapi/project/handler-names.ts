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

function kebabCase(id: string): string {
  return keyOf(id);
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
  if (/^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(id)) return id;
  const [first = 'operation', ...others] = words(id);
  const name = first + others.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return /^\p{N}/u.test(name) ? `_${name}` : name;
}
