import { type Config, ConfigError, type LogLevel } from '../../config.js';
import type { Logger } from '../../log.js';
import { readSettingsAgain, type Settings } from '../../settings.js';

/** The settings of a service that runs: a reload reads `ENV_FILE` again, and may have to be taken back. */
export class LiveSettings {
  readonly #log: Logger;
  readonly #onChange: (config: Config) => void;
  #current: Settings;
  #before: Settings;
  #logLevel: LogLevel | undefined;

  /** @param onChange called with the configuration when it has changed */
  constructor(settings: Settings, log: Logger, onChange: (config: Config) => void) {
    this.#current = settings;
    this.#before = settings;
    this.#log = log;
    this.#onChange = onChange;
  }

  get config(): Config {
    return this.#current.config;
  }

  /** What a worker gets in its environment. It does not read `ENV_FILE` itself: that may have changed since. */
  get variables(): Record<string, string> {
    const level = this.#logLevel === undefined ? {} : { LOG_LEVEL: this.#logLevel };
    return { ...this.#current.variables, ENV_FILE: '', ...level };
  }

  /** Until the settings are read again. */
  setLogLevel(level: LogLevel): void {
    this.#logLevel = level;
    this.#log.level = level;
  }

  /** Reads them again. Returns why nothing has changed, where the file is bad. */
  readAgain(): string | undefined {
    try {
      const { settings, ignored } = readSettingsAgain(process.env, this.#current);
      if (ignored.length > 0)
        this.#log.warn({ variables: ignored }, `${ignored.join(', ')}: left as before, this needs a restart`);
      this.#before = this.#current;
      this.#logLevel = undefined;
      this.#apply(settings);
      return undefined;
    } catch (err) {
      if (!(err instanceof ConfigError)) throw err;
      this.#log.error({ problems: err.problems }, 'Not reloaded, all is as before: the settings are bad');
      return `Not reloaded, all is as before. ${err.message}`;
    }
  }

  /** Goes back to what was before the last reading. */
  takeBack(): void {
    this.#apply(this.#before);
  }

  #apply(settings: Settings): void {
    this.#current = settings;
    this.#log.level = settings.config.logLevel;
    this.#onChange(settings.config);
  }
}
