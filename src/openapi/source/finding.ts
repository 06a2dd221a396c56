/** One thing that is wrong with a description, or that its author may not have meant. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The place as a JSON pointer. */
  readonly pointer: string;
  /** The field that it is about. */
  readonly keyword: string;
  readonly reason: string;
}
