/** The series of request counts that are certain to be wanted before anybody has made a request. */
export interface Foreseen {
  readonly method: string;
  /** A path template of the API description. */
  readonly endpoint: string;
  readonly statuses: readonly number[];
}
