import { setImmediate, setTimeout } from 'node:timers/promises';

/** Milliseconds for which work may keep the event loop without a pause. */
const SLICE_MS = 2;

/** Divides long work into slices with pauses for the event loop. */
export class Slices {
  #start = performance.now();
  #calls = 0;

  /**
   * Begins the first slice among the immediates of the event loop. From there each pause lets timers and
   * input have their turn; after a callback of an input, the first immediate would come before either.
   */
  static async begin(): Promise<Slices> {
    await setImmediate();
    return new Slices();
  }

  private constructor() {}

  /** Whether the slice is over. To be asked after each small step; only every 16th looks at the clock. */
  get over(): boolean {
    return (++this.#calls & 15) === 0 && performance.now() - this.#start > SLICE_MS;
  }

  async next(): Promise<void> {
    await setImmediate();
    this.#start = performance.now();
  }
}

/**
 * Pauses so that this thread sleeps. An immediate gives way only to events of its own process: on a shared
 * core, requests in other processes would wait for as long as this one has work.
 */
export async function rest(): Promise<void> {
  await setTimeout(1);
}

/** Lets callers continue one by one, with a pause before each, so that other work has its turn in between. */
export class Turns {
  #last = Promise.resolve();

  next(): Promise<void> {
    return (this.#last = this.#last.then(rest));
  }
}
