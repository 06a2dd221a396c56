import { setImmediate, setTimeout } from 'node:timers/promises';

/** A thread is not kept for longer at a time. */
const SLICE_MS = 2;

/** Gives the event loop back as soon as a piece of work took long. */
export class Slices {
  #start = performance.now();
  #calls = 0;

  /**
   * Resolves among the immediates of the event loop, from where each further pause lets timers and input have their turn: after
   * a callback of an input, the first immediate comes before either.
   */
  static async begin(): Promise<Slices> {
    await setImmediate();
    return new Slices();
  }

  private constructor() {}

  /** To be asked after each small step. Only every 16th looks at the clock. */
  get over(): boolean {
    return (++this.#calls & 15) === 0 && performance.now() - this.#start > SLICE_MS;
  }

  async next(): Promise<void> {
    await setImmediate();
    this.#start = performance.now();
  }
}

/**
 * A pause in which this thread sleeps. An immediate gives way only to events of its own process; where processes share a core,
 * requests wait in the others for as long as this one has work.
 */
export async function rest(): Promise<void> {
  await setTimeout(1);
}

/** Those who have to wait for the same get it one by one, with a pause before each, so that others have their turn in between. */
export class Turns {
  #last = Promise.resolve();

  next(): Promise<void> {
    return (this.#last = this.#last.then(rest));
  }
}
