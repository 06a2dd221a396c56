import { Turns } from '../event-loop-turns.js';
import type { Gathered, Renderer } from './gathered.js';
import { oneAtATime } from './one-at-a-time.js';
import { ProtobufRenderer } from './protobuf-renderer.js';
import { TextRenderer } from './text-renderer.js';

/** What an exposition can be written in. */
export type Format = 'text' | 'protobuf';

/** All metrics of the service at a time. */
export interface Exposition {
  readonly bytes: Buffer;
  /** Every request that was answered before this `monotonicTime` is counted. */
  readonly asOf: number;
}

/** Where metrics come from, for whoever serves them. */
export interface Gatherer {
  /** The exposition of the whole service, complete as of the call. Rejects when it can't be gathered. */
  gather(format?: Format): Promise<Exposition>;
}

export interface GathererOptions {
  readonly prefix: string;
  /** Upper bounds of the request histogram in seconds, ascending, without +Inf. */
  readonly buckets: readonly number[];
  /** How far apart gatherings begin at least. Default 0. */
  readonly intervalMs?: number;
}

/**
 * The one way from counts to bytes. One gathering runs at a time; calls that arrive meanwhile share the next one, because the
 * running one may have passed what was answered before they came. It is rendered once in each format that somebody asks for, and
 * given to them one by one: each has to send it.
 */
export class SharedGatherer implements Gatherer {
  readonly #collect: (detailed: boolean) => Promise<Gathered>;
  readonly #renderers: Readonly<Record<Format, Renderer>>;
  readonly #next: () => Promise<Gathering>;
  readonly #turns = new Turns();
  /** What those ask for who wait for the next gathering. */
  readonly #wanted = new Set<Format>();

  /**
   * @param collect gives what there is, as of its call, and with the details of requests only where they are asked for; it is not
   *   called while an earlier one's `others` are awaited
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

  /** Requests are rendered while the others are still waited for. */
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
    // Whoever renders waits for them, but may fail before.
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
