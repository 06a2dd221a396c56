/** The input of a command. */
export interface CommandInput {
  /** The words after the command's name. */
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
  /** For `observability`: write nothing. */
  readonly check: boolean;
  /** For `build`: do nothing if dist/ was built from these very sources. */
  readonly ifNeeded: boolean;
  /** For `generate`: do nothing if the development tools are missing. */
  readonly ifPossible: boolean;
}

/** @throws CommandError with a line for the person who gave it */
export type Command = (input: CommandInput) => Promise<void>;
