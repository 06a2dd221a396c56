import { octetsOf, shapeOf, textsOf } from '../../openapi/operations/paths.js';
import { type SegmentPattern, matchSegment, patternOf } from './segment-pattern.js';

interface Node<T> {
  readonly literals: Map<string, Node<T>>;
  /** Segments with text and parameters; those with more text come first. */
  readonly patterns: { readonly pattern: SegmentPattern; readonly node: Node<T> }[];
  parameter: Node<T> | undefined;
  value: T | undefined;
}

interface Search<T> {
  readonly path: string;
  /** The values of the parameters so far, still encoded. */
  readonly segments: string[];
  /** Tells whether the search may end with the value of a template that matches. */
  readonly wanted: (value: T) => boolean;
}

/**
 * Finds the value of a path among templates such as `/hello/{name}`, in a time that does not
 * depend on their number. Segment by segment, text goes before a parameter (OpenAPI 3.1 section
 * 4.8.8.2), which is never empty.
 */
export class PathIndex<T> {
  readonly #static = new Map<string, T>();
  readonly #root = node<T>();

  set(template: string, value: T): void {
    if (!template.includes('{')) this.#static.set(shapeOf(template), value);
    let at = this.#root;
    for (const segment of template.slice(1).split('/')) at = child(at, segment);
    at.value = value;
  }

  /**
   * Returns the first wanted value of the templates that match a path in its normal form, and adds the values
   * of its parameters to `segments`, still encoded. No template with parameters is looked at where one
   * without matches.
   */
  find(path: string, segments: string[], wanted: (value: T) => boolean): T | undefined {
    const fixed = this.#static.get(path);
    if (fixed !== undefined) return wanted(fixed) ? fixed : undefined;
    if (!path.startsWith('/')) return undefined; // "*", the server as a whole
    return descend(this.#root, { path, segments, wanted }, 1);
  }
}

function node<T>(): Node<T> {
  return { literals: new Map(), patterns: [], parameter: undefined, value: undefined };
}

function child<T>(parent: Node<T>, segment: string): Node<T> {
  if (/^\{[^{}]+\}$/.test(segment)) return (parent.parameter ??= node());
  if (segment.includes('{')) return patternChild(parent, patternOf(segment));
  const [literal = ''] = textsOf(segment);
  const known = parent.literals.get(literal) ?? node<T>();
  parent.literals.set(literal, known);
  return known;
}

function patternChild<T>({ patterns }: Node<T>, pattern: SegmentPattern): Node<T> {
  const isSame = (other: SegmentPattern) => other.texts.join('{}') === pattern.texts.join('{}');
  const known = patterns.find((each) => isSame(each.pattern));
  if (known) return known.node;
  const added = { pattern, node: node<T>() };
  patterns.push(added);
  patterns.sort((one, other) => other.pattern.length - one.pattern.length);
  return added.node;
}

/** Descends no deeper than the longest template, and to no node twice: a long path can't make it slow. */
function descend<T>(from: Node<T>, search: Search<T>, start: number): T | undefined {
  const slash = search.path.indexOf('/', start);
  const segment = slash < 0 ? search.path.slice(start) : search.path.slice(start, slash);
  const literal = from.literals.get(segment);
  const found = literal && follow(literal, search, slash);
  if (found !== undefined || segment === '') return found;
  const octets = from.patterns.length > 0 ? octetsOf(segment) : '';
  for (const { pattern, node: next } of from.patterns) {
    const values = matchSegment(pattern, segment, octets);
    const value = values && followWith(values, next, search, slash);
    if (value !== undefined) return value;
  }
  return from.parameter && followWith([segment], from.parameter, search, slash);
}

function followWith<T>(
  values: readonly string[],
  to: Node<T>,
  search: Search<T>,
  slash: number,
): T | undefined {
  const { segments } = search;
  const before = segments.length;
  segments.push(...values);
  const found = follow(to, search, slash);
  if (found === undefined) segments.length = before;
  return found;
}

function follow<T>(to: Node<T>, search: Search<T>, slash: number): T | undefined {
  if (slash >= 0) return descend(to, search, slash + 1);
  return to.value !== undefined && search.wanted(to.value) ? to.value : undefined;
}
