import { ANYTHING, type Shape } from '../../openapi/schemas/shape.js';
import { convert } from './convert.js';
import type { Fields } from './fields.js';
import { Problem } from '../problem.js';

interface Tree {
  readonly texts: string[];
  readonly children: Map<string, Tree>;
}

/** The greatest depth of nested names: a client could make deeper ones only to cost us time. */
const DEEPEST = 10;

/**
 * Makes the value of `name[key]=text` fields (`deepObject`), whose brackets may be nested;
 * `undefined` if there is none.
 */
export function bracketed(name: string, shape: Shape, fields: Fields): unknown {
  const root = tree();
  for (const field of fields.names) {
    if (!field.startsWith(`${name}[`) || !field.endsWith(']')) continue;
    const keys = field.slice(name.length + 1, -1).split('][');
    if (keys.length > DEEPEST) throw refused(field, `is nested more than ${DEEPEST} levels deep`);
    if (keys.includes('__proto__')) throw refused(field, 'is not allowed');
    let at = root;
    for (const key of keys) at = childOf(at, key);
    at.texts.push(...(fields.get(field) ?? []).map(fields.decode));
  }
  return root.children.size > 0 ? valueOf(root, shape) : undefined;
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
function valueOf({ texts, children }: Tree, shape: Shape = ANYTHING): unknown {
  const isList = shape.types.has('array');
  const item = (text: string, index: number) => convert(text, shape.item(index));
  if (children.size === 0) {
    const [text = '', ...more] = texts;
    return isList || more.length > 0 ? texts.map(item) : convert(text, shape);
  }
  const listed = children.get('');
  if (listed && children.size === 1) return listed.texts.map(item);
  if (isList && [...children.keys()].every((key) => /^\d+$/.test(key)))
    return [...children.values()].map((child, index) => valueOf(child, shape.item(index)));
  return Object.fromEntries([...children].map(([key, child]) => [key, valueOf(child, shape.property(key))]));
}

function refused(field: string, message: string): Problem {
  return new Problem(400, 'The query can not be read.', {
    errors: [{ in: 'query', path: `/${field}`, message }],
  });
}
