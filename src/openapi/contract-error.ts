/** The API description and the service do not fit together: says in which file, where in it, and why. */
export class ContractError extends Error {
  override readonly name = 'ContractError';
  constructor(
    readonly file: string,
    /** `line:column` where it is known, and the JSON pointer of what is wrong. */
    readonly place: string,
    readonly reason: string,
    /** How many more things are wrong. */
    more = 0,
  ) {
    super(`${file}:${place}: ${reason}${more > 0 ? ` (and ${more} more: npm run check)` : ''}`);
  }
}
