import type { Serialized } from '../../openapi/operations/parameters.js';
import { pointerStep } from '../../openapi/pointer.js';
import { ANYTHING, type Shape } from '../../openapi/schemas/shape.js';
import { malformed } from '../body/json-body.js';
import type { Problem } from '../problem.js';
import { convert } from './convert.js';
import type { Fields } from './fields.js';

interface Tree {
  readonly texts: string[];
  readonly children: Map<string, Tree>;
}

/** The greatest depth of nested names: a client could make deeper ones only to cost us time. */
const DEEPEST = 10;

/** Makes the 400 for a field of this name. */
type Refuse = (field: string, message: string) => Problem;

/**
 * Makes the value of `name[key]=text` fields (`deepObject`), whose brackets may be nested;
 * `undefined` if there is none. Throws a 400 where the fields contradict each other.
 */
export function bracketed({ name, in: location, shape }: Serialized, fields: Fields): unknown {
  const refused: Refuse = (field, message) => malformed(message, { in: location, path: pointerStep(field) });
  const root = tree();
  for (const field of fields.names) {
    if (!field.startsWith(`${name}[`) || !field.endsWith(']')) continue;
    const keys = field.slice(name.length + 1, -1).split('][');
    if (keys.length > DEEPEST) throw refused(field, `is nested more than ${DEEPEST} levels deep`);
    if (keys.includes('__proto__')) throw refused(field, 'is not allowed');
    let at = root;
    for (const key of keys) at = childOf(at, key);
    at.texts.push(...fields.decoded(field));
  }
  if (root.children.size === 0) return undefined;
  root.texts.push(...fields.decoded(name));
  return valueOf(root, name, shape, refused);
}

function tree(): Tree {
  return { texts: [], children: new Map() };
}

function childOf(parent: Tree, key: string): Tree {
  const known = parent.children.get(key) ?? tree();
  parent.children.set(key, known);
  return known;
}

/** Makes the value of one name. A list is `name[]=a&name[]=b`, `name[0]=a&name[1]=b`, or the name twice. */
function valueOf({ texts, children }: Tree, name: string, shape: Shape = ANYTHING, refused: Refuse): unknown {
  const isList = shape.types.has('array');
  const item = (text: string, index: number) => convert(text, shape.item(index));
  if (children.size === 0) {
    const [text = '', ...more] = texts;
    return isList || more.length > 0 ? texts.map(item) : convert(text, shape);
  }
  if (texts.length > 0) throw refused(name, 'has a value beside those in brackets');
  const below = (key: string, child: Tree, childShape?: Shape) =>
    valueOf(child, `${name}[${key}]`, childShape, refused);
  const listed = children.get('');
  if (listed && children.size === 1) {
    if (listed.children.size > 0)
      throw refused(`${name}[]`, 'has values in brackets: its items need numbers');
    return listed.texts.map(item);
  }
  if (isList && [...children.keys()].every((key) => /^\d+$/.test(key)))
    return [...children]
      .toSorted(([a], [b]) => Number(a) - Number(b))
      .map(([key, child], index) => below(key, child, shape.item(index)));
  return Object.fromEntries(
    [...children].map(([key, child]) => [key, below(key, child, shape.property(key))]),
  );
}
