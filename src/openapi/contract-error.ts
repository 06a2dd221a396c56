/** A mistake in the API description or in the service that serves it, with file, position and reason. */
export class ContractError extends Error {
  override readonly name = 'ContractError';
  constructor(
    readonly file: string,
    /** `line:column` where it is known, and the JSON pointer of the mistake. */
    readonly place: string,
    readonly reason: string,
    /** The number of further mistakes. */
    more = 0,
  ) {
    super(`${file}:${place}: ${reason}${more > 0 ? ` (and ${more} more: npm run check)` : ''}`);
  }
}
