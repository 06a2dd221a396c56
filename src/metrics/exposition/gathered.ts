import type { Family, RequestCounts } from '../aggregation/families.js';

/** The result of one gathering, for any number of renderings. */
export interface Gathered {
  readonly asOf: number;
  readonly requests: RequestCounts;
  /**
   * The other families, which may take longer, in lists. A list that is the same object as in another
   * gathering has the same values.
   */
  readonly others: Promise<readonly (readonly Family[])[]>;
}

/** Writes a gathering in one format. */
export interface Renderer {
  render(gathered: Gathered): Promise<Buffer>;
}
