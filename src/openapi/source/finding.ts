/** A mistake in a description, or something that its author may not have meant. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The place as a JSON pointer. */
  readonly pointer: string;
  /** The name of the field with the mistake. */
  readonly keyword: string;
  readonly reason: string;
}
