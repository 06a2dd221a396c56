import { request } from './exchange';

/** A client that makes one request after the other, whatever happens, and counts those that were answered. */
export class CountingClient {
  answered = 0;
  /** Requests with an unknown fate: the connection was lost. */
  lost = 0;
  #running = true;
  readonly #done: Promise<void>;

  constructor(
    private readonly port: number,
    private readonly path: string,
  ) {
    this.#done = this.#run();
  }

  async #run(): Promise<void> {
    while (this.#running) {
      try {
        const { status } = await request(this.port, this.path);
        if (status === 200) this.answered += 1;
      } catch (err) {
        if (!String(err).includes('ECONNREFUSED')) this.lost += 1;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  stop(): Promise<void> {
    this.#running = false;
    return this.#done;
  }
}
