import type { Family, RequestCounts } from '../aggregation/families.js';

/** What was gathered, for any number of renderings. */
export interface Gathered {
  readonly asOf: number;
  readonly requests: RequestCounts;
  /** What may take longer than the requests, in lists: a list that is the same object as in another gathering has the same values. */
  readonly others: Promise<readonly (readonly Family[])[]>;
}

/** Writes what was gathered in one format. */
export interface Renderer {
  render(gathered: Gathered): Promise<Buffer>;
}
