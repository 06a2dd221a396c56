import { pathToFileURL } from 'node:url';
import { isRecord } from './grammar.js';
import type { SourceFile } from './source-file.js';

/** Where a schema stands that a reference names without its place: by `$id`, `$anchor` or `$dynamicAnchor`. */
export interface Location {
  readonly source: SourceFile;
  readonly path: readonly string[];
}

/** What the files of a description call by an identifier of its own (JSON Schema 2020-12 section 8.2). */
export class Identifiers {
  readonly #locations = new Map<string, Location>();
  readonly #dynamic = new Map<string, number>();

  /** Takes in a file. Its own URL names all of it. */
  add(source: SourceFile): void {
    this.#locations.set(urlOf(source), { source, path: [] });
    if (/\$(?:id|anchor|dynamicAnchor)\b/.test(source.text))
      this.#scan(source.value, urlOf(source), { source, path: [] });
  }

  find(url: string): Location | undefined {
    return this.#locations.get(url);
  }

  /** A dynamic reference that can lead to one place only is a plain one. */
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

/** A URL that is relative to another; as it is where it is none. */
export function resolvedUrl(url: string, base: string): string {
  return URL.canParse(url, base) ? new URL(url, base).href.replace(/#$/, '') : url;
}
