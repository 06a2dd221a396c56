import { pathToFileURL } from 'node:url';
import { isRecord } from './grammar.js';
import type { SourceFile } from './source-file.js';

/** The place of a schema that references name by `$id`, `$anchor` or `$dynamicAnchor` in place of a path. */
export interface Location {
  readonly source: SourceFile;
  readonly path: readonly string[];
}

/**
 * The schemas of a description's files that have an identifier of their own (JSON
 * Schema 2020-12 section 8.2).
 */
export class Identifiers {
  readonly #locations = new Map<string, Location>();
  readonly #dynamic = new Map<string, number>();

  /** Adds a file under its URL, and all identifiers in it. */
  add(source: SourceFile): void {
    this.#locations.set(urlOf(source), { source, path: [] });
    if (/\$(?:id|anchor|dynamicAnchor)\b/.test(source.text))
      this.#scan(source.value, urlOf(source), { source, path: [] });
  }

  find(url: string): Location | undefined {
    return this.#locations.get(url);
  }

  /**
   * Tells whether a dynamic anchor stands at several places. A reference to one that
   * does not is a plain reference.
   */
  isAmbiguous(anchor: string): boolean {
    return (this.#dynamic.get(anchor) ?? 0) > 1;
  }

  #scan(value: unknown, base: string, at: Location): void {
    if (typeof value !== 'object' || value === null) return;
    const here = isRecord(value) ? this.#name(value, base, at) : base;
    for (const [key, child] of Object.entries(value))
      this.#scan(child, here, { source: at.source, path: [...at.path, key] });
  }

  #name(value: Readonly<Record<string, unknown>>, base: string, at: Location): string {
    const { $id, $anchor, $dynamicAnchor } = value;
    const here = typeof $id === 'string' ? resolvedUrl($id, base) : base;
    if (here !== base) this.#locations.set(here, at);
    for (const anchor of [$anchor, $dynamicAnchor])
      if (typeof anchor === 'string') this.#locations.set(`${here}#${anchor}`, at);
    if (typeof $dynamicAnchor === 'string')
      this.#dynamic.set($dynamicAnchor, (this.#dynamic.get($dynamicAnchor) ?? 0) + 1);
    return here;
  }
}

export function urlOf(source: SourceFile): string {
  return pathToFileURL(source.file).href;
}

/** Resolves a URL against a base; returns it unchanged if it is no URL. */
export function resolvedUrl(url: string, base: string): string {
  return URL.canParse(url, base) ? new URL(url, base).href.replace(/#$/, '') : url;
}
