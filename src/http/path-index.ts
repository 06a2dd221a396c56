interface Node<T> {
  readonly literals: Map<string, Node<T>>;
  parameter: Node<T> | undefined;
  value: T | undefined;
}

/**
 * Finds what belongs to a path among templates such as `/hello/{name}`, in a time that does not depend on how many
 * there are. A literal segment goes before a parameter, which is one segment and never empty.
 */
export class PathIndex<T> {
  readonly #static = new Map<string, T>();
  readonly #root = node<T>();

  set(template: string, value: T): void {
    if (!template.includes('{')) {
      this.#static.set(template, value);
      return;
    }
    let at = this.#root;
    for (const segment of template.slice(1).split('/')) at = child(at, segment);
    at.value = value;
  }

  /** The value of the template that matches, after adding to `segments` what its parameters stand for, still encoded. */
  find(path: string, segments: string[]): T | undefined {
    return this.#static.get(path) ?? descend(this.#root, path, 1, segments);
  }
}

function node<T>(): Node<T> {
  return { literals: new Map(), parameter: undefined, value: undefined };
}

function child<T>(parent: Node<T>, segment: string): Node<T> {
  if (segment.startsWith('{')) return (parent.parameter ??= node());
  const known = parent.literals.get(segment);
  if (known) return known;
  const added = node<T>();
  parent.literals.set(segment, added);
  return added;
}

/** No deeper than the longest template, and to no node twice: the path can't make it long. */
function descend<T>(from: Node<T>, path: string, start: number, segments: string[]): T | undefined {
  const slash = path.indexOf('/', start);
  const segment = slash < 0 ? path.slice(start) : path.slice(start, slash);
  const literal = from.literals.get(segment);
  const found = literal && follow(literal, path, slash, segments);
  if (found !== undefined || !from.parameter || segment === '') return found;
  const before = segments.push(segment) - 1;
  const value = follow(from.parameter, path, slash, segments);
  if (value === undefined) segments.length = before;
  return value;
}

function follow<T>(to: Node<T>, path: string, slash: number, segments: string[]): T | undefined {
  return slash < 0 ? to.value : descend(to, path, slash + 1, segments);
}
