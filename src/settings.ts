import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { currentFolder } from './current-folder.js';
import { type Config, ConfigError, NEEDS_RESTART, readConfig } from './config.js';
import { type KeyPair, readKeyPair } from './key-pair.js';
import { codeOf } from './thrown.js';

type Env = Readonly<Record<string, string | undefined>>;
type Variables = Readonly<Record<string, string>>;

const TLS = ['TLS_CERT', 'TLS_KEY', 'TLS_CLIENT_CA'];

/** The configuration of a service, and the variables that come from its file. */
export interface Settings {
  readonly config: Config;
  /** Variables that `ENV_FILE` adds to the environment, for handlers and for forked processes. */
  readonly variables: Variables;
  /** The certificate and its key; undefined for a service without TLS. */
  readonly keyPair: KeyPair | undefined;
}

/**
 * Reads the configuration from the environment and, if `ENV_FILE` names one, from a file of `NAME=value`
 * lines (in the format of Node's `--env-file`). The environment overrides the file.
 * @throws ConfigError that names every bad variable at once, or the files that are bad
 */
export function readSettings(env: Env): Settings {
  const variables = variablesOfFile(env);
  return withKeyPair(readConfig({ ...env, ...variables }), variables);
}

/**
 * Adds the variables of `ENV_FILE` to an environment, for a command: it reads no key file, which the person
 * who gives it may not be allowed to.
 * @throws ConfigError if the file cannot be read
 */
export function withEnvFile(env: Env): Env {
  return { ...env, ...variablesOfFile(env) };
}

/**
 * Reads the settings again, for a reload.
 * @returns also the changed variables that need a restart; they keep their old values
 * @throws ConfigError as `readSettings`
 */
export function readSettingsAgain(
  env: Env,
  before: Settings,
): { readonly settings: Settings; readonly ignored: readonly string[] } {
  const variables = { ...variablesOfFile(env) };
  // The file is checked as it is written: a bad value is reported even if it would be ignored.
  readConfig({ ...env, ...variables });
  const isChanged = (name: string) => variables[name] !== before.variables[name];
  const isSwitched = ['TLS_CERT', 'TLS_KEY'].some(
    (name) => (variables[name] === undefined) !== (before.variables[name] === undefined),
  );
  // Old and new workers share the port: with TLS in one half of them, connections would fail.
  const fixed = isSwitched ? [...NEEDS_RESTART, ...TLS] : NEEDS_RESTART;
  const ignored = fixed.filter(isChanged);
  for (const name of ignored) {
    const old = before.variables[name];
    if (old === undefined) delete variables[name];
    else variables[name] = old;
  }
  return { settings: withKeyPair(readConfig({ ...env, ...variables }), variables), ignored };
}

function withKeyPair(config: Config, variables: Variables): Settings {
  return { config, variables, keyPair: readKeyPair(config) };
}

function variablesOfFile(env: Env): Variables {
  const path = env['ENV_FILE'];
  if (path === undefined || path === '') return {};
  const variables = Object.entries(parseEnv(contentOf(path))).flatMap(([name, value]) =>
    // An empty variable counts as unset.
    value === undefined || (env[name] ?? '') !== '' ? [] : [[name, value] as const],
  );
  return Object.fromEntries(variables);
}

function contentOf(path: string): string {
  const expected = (what: string, got: string) =>
    new ConfigError([`ENV_FILE: expected ${what}, got ${JSON.stringify(path)} (${got})`]);
  let text: string;
  try {
    text = readFileSync(resolve(currentFolder, path), 'utf8');
  } catch (err) {
    throw expected('a file that can be read', codeOf(err) ?? String(err));
  }
  // UTF-16, in which some editors write, has them; no process can be given a variable with one.
  if (text.includes('\0')) throw expected('text in UTF-8', 'it has NUL bytes');
  // A byte order mark would be part of the first name.
  return text.replace(/^\uFEFF/, '');
}
