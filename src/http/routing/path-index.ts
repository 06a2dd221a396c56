import { normalPath, octetsOf, percentEncoded, textsOf } from '../../openapi/operations/paths.js';
import { type SegmentPattern, matchSegment, patternOf } from './segment-pattern.js';

interface Node<T> {
  readonly literals: Map<string, Node<T>>;
  /** The number of octets of the longest literal. */
  longest: number;
  /** Segments with text and parameters; those with more text come first. */
  readonly patterns: { readonly pattern: SegmentPattern; readonly node: Node<T> }[];
  parameter: Node<T> | undefined;
  value: T | undefined;
}

/** Tells whether a search may end with the value of a template that matches. */
export type Wanted<T> = (value: T) => boolean;

/**
 * Finds the value of a path among templates such as `/hello/{name}`, in a time that does not
 * depend on their number. Segment by segment, text goes before a parameter (OpenAPI 3.1 section
 * 4.8.8.2), which is never empty.
 */
export class PathIndex<T> {
  readonly #static = new Map<string, T>();
  readonly #root = node<T>();

  set(template: string, value: T): void {
    if (!template.includes('{')) this.#static.set(normalPath(percentEncoded(template)), value);
    let at = this.#root;
    for (const segment of template.slice(1).split('/')) at = child(at, segment);
    at.value = value;
  }

  /**
   * Returns the first wanted value of the templates that match a path in its normal form, and adds the values
   * of its parameters to `segments`, still encoded. No template with parameters is looked at where one
   * without matches.
   */
  find(path: string, segments: string[], wanted: Wanted<T>): T | undefined {
    const fixed = this.#static.get(path);
    if (fixed !== undefined) return wanted(fixed) ? fixed : undefined;
    if (!path.startsWith('/')) return undefined; // "*", the server as a whole
    return descend(this.#root, path, 1, segments, wanted);
  }
}

function node<T>(): Node<T> {
  return { literals: new Map(), longest: 0, patterns: [], parameter: undefined, value: undefined };
}

function child<T>(parent: Node<T>, segment: string): Node<T> {
  if (/^\{[^{}]+\}$/.test(segment)) return (parent.parameter ??= node());
  if (segment.includes('{')) return patternChild(parent, patternOf(segment));
  const [literal = ''] = textsOf(segment);
  const known = parent.literals.get(literal) ?? node<T>();
  parent.literals.set(literal, known);
  parent.longest = Math.max(parent.longest, literal.length);
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
function descend<T>(
  from: Node<T>,
  path: string,
  start: number,
  segments: string[],
  wanted: Wanted<T>,
): T | undefined {
  const slash = path.indexOf('/', start);
  const segment = slash < 0 ? path.slice(start) : path.slice(start, slash);
  const octets = octetsIn(segment, from);
  const literal = from.literals.get(octets);
  const found = literal && follow(literal, path, slash, segments, wanted);
  if (found !== undefined || segment === '') return found;
  for (const { pattern, node: next } of from.patterns) {
    const values = matchSegment(pattern, segment, octets);
    const value = values && followWith(values, next, path, slash, segments, wanted);
    if (value !== undefined) return value;
  }
  return from.parameter && followWith([segment], from.parameter, path, slash, segments, wanted);
}

/**
 * Returns the octets of a segment; the segment itself if it is too long to be a literal, and nothing else
 * asks for them: an octet has three characters at most.
 */
function octetsIn<T>(segment: string, { longest, patterns }: Node<T>): string {
  return patterns.length === 0 && segment.length > 3 * longest ? segment : octetsOf(segment);
}

function followWith<T>(
  values: readonly string[],
  to: Node<T>,
  path: string,
  slash: number,
  segments: string[],
  wanted: Wanted<T>,
): T | undefined {
  const before = segments.length;
  segments.push(...values);
  const found = follow(to, path, slash, segments, wanted);
  if (found === undefined) segments.length = before;
  return found;
}

function follow<T>(
  to: Node<T>,
  path: string,
  slash: number,
  segments: string[],
  wanted: Wanted<T>,
): T | undefined {
  if (slash >= 0) return descend(to, path, slash + 1, segments, wanted);
  return to.value !== undefined && wanted(to.value) ? to.value : undefined;
}
