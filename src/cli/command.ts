/** What a command gets. */
export interface CommandInput {
  /** The words after its name. */
  readonly words: readonly string[];
  readonly options: CommandOptions;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: NodeJS.WriteStream;
}

export interface CommandOptions {
  readonly port: string | undefined;
  readonly worker: string | undefined;
  readonly seconds: string | undefined;
  readonly watch: boolean;
  readonly json: boolean;
  /** Of `build`: nothing is done where dist/ is of these very sources. */
  readonly ifNeeded: boolean;
  /** Of `generate`: nothing is done where the development tools are missing. */
  readonly ifPossible: boolean;
}

/** @throws CommandError with a line for the person who gave it */
export type Command = (input: CommandInput) => Promise<void>;
