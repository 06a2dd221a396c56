#!/usr/bin/env node
// This import is the first, so that no SIGHUP ends a program that is loading the others.
import '../hang-up.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Command } from './command.js';
import { CommandError } from './command-error.js';
import { cleanLedgers } from './clean-ledgers.js';
import { init } from './init.js';
import { heap, profile } from './inspect.js';
import { logLevel } from './log-level.js';
import { observability } from './observability.js';
import { reload } from './reload.js';
import { build, check, dev, generate, scaffold } from './scripts.js';
import { start } from './start.js';
import { status } from './status.js';
import { codeOf, errorOf } from '../thrown.js';

/** A command, the most words that it takes, and its options. */
interface Accepted {
  readonly command: Command;
  readonly words: number;
  readonly options: readonly string[];
}

const COMMANDS: Readonly<Record<string, Accepted>> = {
  start: { command: start, words: 1, options: ['port'] },
  init: { command: init, words: 1, options: [] },
  build: { command: build, words: 0, options: ['if-needed'] },
  generate: { command: generate, words: 0, options: ['if-possible'] },
  check: { command: check, words: 1, options: [] },
  scaffold: { command: scaffold, words: 0, options: [] },
  dev: { command: dev, words: 0, options: [] },
  observability: { command: observability, words: 0, options: ['check'] },
  status: { command: status, words: 0, options: ['port', 'watch', 'json'] },
  reload: { command: reload, words: 0, options: ['port'] },
  'log-level': { command: logLevel, words: 1, options: ['port', 'worker'] },
  profile: { command: profile, words: 1, options: ['port', 'seconds'] },
  heap: { command: heap, words: 1, options: ['port'] },
  'clean-ledgers': { command: cleanLedgers, words: 0, options: [] },
};

const USAGE = `Usage: koa-cluster-metrics COMMAND [--port PORT], or --help, or --version

  start FILE                          run the app that a module exports, on all cores
  init FOLDER                         make a new project: an API description, its handlers, tests
  build [--if-needed]                 build dist/ of the project in this folder
  generate                            write the types of its API description
  check [FILE]                        list all that is wrong with it
  scaffold                            write a handler for each operation that has none
  dev                                 run it, again after each change
  observability [--check]             write its Prometheus rules and Grafana dashboard, or say whether they are up to date

  status [--watch | --json]           the workers of the service that runs here
  reload                              replace all workers; waits until that is done
  log-level LEVEL [--worker N]        of the service or of one worker, until the next reload
  profile WORKER [--seconds N] > x.cpuprofile
  heap WORKER > x.heapsnapshot
  clean-ledgers                       remove the counts of services that no longer run

The service is found by LISTEN, PORT or --port (PORT or HOST:PORT), as it was started; WORKER is a number in the first column of status, or a pid.
`;

const MANIFEST = join(__dirname, '../../package.json');

const OPTIONS = {
  port: { type: 'string' },
  worker: { type: 'string' },
  seconds: { type: 'string' },
  watch: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  check: { type: 'boolean', default: false },
  'if-needed': { type: 'boolean', default: false },
  'if-possible': { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', default: false },
} as const;

/** Runs one command. Resolves with the exit code: 0, or 1 with a line on stderr that says why. */
export async function main(args: string[]): Promise<number> {
  try {
    const { values, positionals, tokens } = parseArgs({
      args,
      options: OPTIONS,
      allowPositionals: true,
      tokens: true,
    });
    const [name = '', ...words] = positionals;
    if (values.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    if (values.version) {
      const { version }: { version: string } = JSON.parse(readFileSync(MANIFEST, 'utf8'));
      process.stdout.write(`${version}\n`);
      return 0;
    }
    const accepted = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!accepted)
      throw new CommandError(name === '' ? USAGE : `There is no command ${name}; --help lists them.`);
    const options = tokens.flatMap((token) => (token.kind === 'option' ? token.name : []));
    const other = options.find((option) => !accepted.options.includes(option));
    const excess = other === undefined ? words[accepted.words] : `--${other}`;
    if (excess !== undefined)
      throw new CommandError(`${name} takes no ${excess}; --help lists what it takes.`);
    // A service goes on where nobody reads what it prints.
    if (name !== 'start') process.stdout.on('error', (err) => process.exit(explain(err)));
    const { port, worker, seconds, watch, json, check: isCheck } = values;
    await accepted.command({
      words,
      options: {
        port,
        worker,
        seconds,
        watch,
        json,
        check: isCheck,
        ifNeeded: values['if-needed'],
        ifPossible: values['if-possible'],
      },
      env: process.env,
      out: process.stdout,
    });
    return 0;
  } catch (err) {
    return explain(err);
  }
}

/**
 * Errors whose message says all. They are known by name, as most commands load none of the modules that throw
 * them.
 */
const PLAIN = ['CommandError', 'ConfigError', 'ContractError', 'DescriptionFileError', 'ObjectivesError'];

function explain(err: unknown): number {
  const { name, message, stack } = errorOf(err);
  const code = codeOf(err) ?? '';
  // The reader of our output, such as `head`, has seen enough.
  if (code === 'EPIPE') return 0;
  const isPlain = PLAIN.includes(name) || code.startsWith('ERR_PARSE_ARGS');
  const { syscall }: Record<string, unknown> = Object(err);
  const isGone =
    code === 'ECONNRESET' || (syscall === 'connect' && ['ECONNREFUSED', 'ENOENT'].includes(code));
  const isOfSystem = typeof syscall === 'string'; // a full disk, a folder that may not be written
  const line = isPlain || isOfSystem ? message : stack;
  process.stderr.write(`${isGone ? 'The service has ended.' : line}\n`);
  return 1;
}

if (require.main === module) void main(process.argv.slice(2)).then((code) => (process.exitCode = code));
