/** Series of request counts that are shown at 0 before anybody has made a request. */
export interface Foreseen {
  readonly method: string;
  /** A path template of the API description. */
  readonly endpoint: string;
  readonly statuses: readonly number[];
}
