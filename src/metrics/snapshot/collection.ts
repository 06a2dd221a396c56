type Values = object | undefined;

/** A metric of prom-client, or of a package like it. */
interface Collectable {
  get(): Values | Promise<Values>;
}

/**
 * Milliseconds that the `collect` functions of users' metrics may take. They may ask a database, which may
 * never answer.
 */
const PATIENCE_MS = 300;

/** The metrics whose `collect` has missed its time and still runs. It is not called again meanwhile. */
const overdue = new WeakSet<Collectable>();

/** The values that came too late: the next snapshot has them if its own are late, too. */
const late = new WeakMap<Collectable, object>();

/** The collection of one metric's values, which has begun. */
export class Collection {
  readonly #metric: Collectable;
  readonly #before: Values;
  readonly #values: Promise<Values>;
  #isLate = false;

  constructor(metric: Collectable) {
    this.#metric = metric;
    this.#before = late.get(metric);
    late.delete(metric);
    this.#values = overdue.has(metric) ? Promise.resolve(undefined) : this.#collect();
  }

  /**
   * Waits for all, but no longer than a collection may take. Returns the values of those that have not
   * failed; of a late one those of the time before, if they came late as well.
   */
  static async end(collections: readonly Collection[]): Promise<object[]> {
    let timer: NodeJS.Timeout | undefined;
    const timeIsUp = new Promise<'late'>((resolve) => (timer = setTimeout(resolve, PATIENCE_MS, 'late')));
    const values = await Promise.all(collections.map((one) => one.#end(timeIsUp)));
    clearTimeout(timer);
    return values.filter((one) => one !== undefined);
  }

  async #end(timeIsUp: Promise<'late'>): Promise<Values> {
    const values = await Promise.race([this.#values, timeIsUp]);
    if (values !== 'late') return values;
    this.#isLate = true;
    overdue.add(this.#metric);
    return this.#before;
  }

  async #collect(): Promise<Values> {
    const values = await this.#get();
    if (!this.#isLate) return values;
    overdue.delete(this.#metric);
    if (values) late.set(this.#metric, values);
    return undefined;
  }

  /** A collection that fails has no values; neither has a metric of an app's own make that gives none. */
  async #get(): Promise<Values> {
    try {
      const collected: Values & { readonly values?: unknown } = (await this.#metric.get()) ?? {};
      return Array.isArray(collected.values) ? collected : undefined;
    } catch {
      return undefined;
    }
  }
}
