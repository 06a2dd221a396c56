import { type Config, ConfigError, type LogLevel } from '../../config.js';
import type { KeyPair } from '../../key-pair.js';
import type { Logger } from '../../log.js';
import { readSettingsAgain, type Settings } from '../../settings.js';

/**
 * The settings of a running service. A reload reads `ENV_FILE` again. If it fails, the settings are again
 * those of the last reload that did not.
 */
export class LiveSettings {
  readonly #log: Logger;
  readonly #onChange: (config: Config) => void;
  #current: Settings;
  #proven: Settings;
  #logLevel: LogLevel | undefined;
  /** The log level that a running reload has set aside: one that fails brings it back. */
  #levelBefore: LogLevel | undefined;

  /** @param onChange called with the configuration when it has changed */
  constructor(settings: Settings, log: Logger, onChange: (config: Config) => void) {
    this.#current = settings;
    this.#proven = settings;
    this.#log = log;
    this.#onChange = onChange;
  }

  get config(): Config {
    return this.#current.config;
  }

  /**
   * The environment variables of a new worker. It does not read `ENV_FILE` itself,
   * which may have changed since.
   */
  get variables(): Record<string, string> {
    const level = this.#logLevel === undefined ? {} : { LOG_LEVEL: this.#logLevel };
    return { ...this.#current.variables, ENV_FILE: '', ...level };
  }

  /**
   * The certificate and key of new workers. They do not read the files themselves,
   * which may have changed since.
   */
  get keyPair(): KeyPair | undefined {
    return this.#current.keyPair;
  }

  /** The log level that was set since the settings were read; undefined if none was. */
  get logLevel(): LogLevel | undefined {
    return this.#logLevel;
  }

  /** Sets the log level until the settings are read again. */
  setLogLevel(level: LogLevel): void {
    this.#logLevel = level;
    this.#log.level = level;
  }

  /** Reads the settings again. Returns the reason if the file is bad; nothing has changed then. */
  readAgain(): string | undefined {
    try {
      const { settings, ignored } = readSettingsAgain(process.env, this.#current);
      if (ignored.length > 0)
        this.#log.warn({ variables: ignored }, `${ignored.join(', ')}: left as before, this needs a restart`);
      this.#levelBefore = this.#logLevel ?? this.#levelBefore;
      this.#logLevel = undefined;
      this.#apply(settings);
      return undefined;
    } catch (err) {
      if (!(err instanceof ConfigError)) throw err;
      this.#log.error({ problems: err.problems }, 'Not reloaded, all is as before: the settings are bad');
      return `Not reloaded, all is as before. ${err.message}`;
    }
  }

  /** The settings that the next workers get: a reload proves them, or is followed by `takeBack`. */
  get current(): Settings {
    return this.#current;
  }

  /** Takes in that workers have started with these settings. */
  prove(settings: Settings): void {
    this.#proven = settings;
    this.#levelBefore = undefined;
  }

  /** Restores the settings that were proven last. */
  takeBack(): void {
    this.#logLevel ??= this.#levelBefore;
    this.#levelBefore = undefined;
    this.#apply(this.#proven);
  }

  #apply(settings: Settings): void {
    this.#current = settings;
    this.#log.level = this.#logLevel ?? settings.config.logLevel;
    this.#onChange(settings.config);
  }
}
