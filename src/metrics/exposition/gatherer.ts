import { Turns } from '../event-loop-turns.js';
import type { Gathered, Renderer } from './gathered.js';
import { oneAtATime } from './one-at-a-time.js';
import { ProtobufRenderer } from './protobuf-renderer.js';
import { TextRenderer } from './text-renderer.js';

/** The format of an exposition. */
export type Format = 'text' | 'protobuf';

/** All metrics of the service at one moment. */
export interface Exposition {
  readonly bytes: Buffer;
  /** The `monotonicTime` before which every answered request is counted. */
  readonly asOf: number;
}

/** The source of metrics for a server. */
export interface Gatherer {
  /** Makes the exposition of the whole service, complete as of the call. Rejects if it can't be gathered. */
  gather(format?: Format): Promise<Exposition>;
}

export interface GathererOptions {
  readonly prefix: string;
  /** Upper bounds of the request histogram in seconds, ascending, without +Inf. */
  readonly buckets: readonly number[];
  /** The fewest milliseconds between the beginnings of two gatherings. Default 0. */
  readonly intervalMs?: number;
}

/**
 * Gathers and renders for all who ask. One gathering runs at a time. Calls during it share the next one,
 * because the running one may miss a request that was answered before they came. Each wanted format is
 * rendered once. The callers get it one by one, because each has to send it.
 */
export class SharedGatherer implements Gatherer {
  readonly #collect: (detailed: boolean) => Promise<Gathered>;
  readonly #renderers: Readonly<Record<Format, Renderer>>;
  readonly #next: () => Promise<Gathering>;
  readonly #turns = new Turns();
  /** The formats that callers wait for. */
  readonly #wanted = new Set<Format>();

  /**
   * @param collect gathers, as of its call, and details of requests only if it is told to; it is not called
   *   while an earlier one's `others` are awaited
   */
  constructor(
    { prefix, buckets, intervalMs = 0 }: GathererOptions,
    collect: (detailed: boolean) => Promise<Gathered>,
  ) {
    this.#collect = collect;
    this.#renderers = {
      text: new TextRenderer(prefix, buckets),
      protobuf: new ProtobufRenderer(prefix, buckets),
    };
    this.#next = oneAtATime(() => this.#run(), intervalMs);
  }

  async gather(format: Format = 'text'): Promise<Exposition> {
    this.#wanted.add(format);
    const gathering = await this.#next();
    const bytes = await gathering.rendered(this.#renderers[format]);
    await this.#turns.next();
    return { bytes, asOf: gathering.asOf };
  }

  /** Gathers and renders. Requests are rendered while the others are still awaited. */
  async #run(): Promise<Gathering> {
    const formats = [...this.#wanted];
    this.#wanted.clear();
    const gathering = new Gathering(await this.#collect(formats.includes('protobuf')));
    await Promise.allSettled(formats.map((format) => gathering.rendered(this.#renderers[format])));
    return gathering;
  }
}

class Gathering {
  readonly #gathered: Gathered;
  readonly #renderings = new Map<Renderer, Promise<Buffer>>();

  constructor(gathered: Gathered) {
    this.#gathered = gathered;
    // A rendering awaits `others`, but may fail before that.
    gathered.others.catch(() => {});
  }

  get asOf(): number {
    return this.#gathered.asOf;
  }

  rendered(renderer: Renderer): Promise<Buffer> {
    let rendering = this.#renderings.get(renderer);
    if (!rendering) this.#renderings.set(renderer, (rendering = renderer.render(this.#gathered)));
    return rendering;
  }
}
