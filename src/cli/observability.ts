import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { readConfig } from '../config.js';
import type { CommandInput } from './command.js';
import { CommandError } from './command-error.js';
import type { ObservabilityFiles } from '../observability/observability-files.js';
import { PACKAGE_DOCS } from './package-imports.js';

/**
 * Writes the Prometheus rules and the Grafana dashboard that follow from the API description of the project
 * in the current folder, METRICS_PREFIX and METRICS_BUCKETS.
 * @throws CommandError with `--check`, which writes nothing, where those that are there differ
 */
export async function observability({ options, env, out }: CommandInput): Promise<void> {
  // Other commands do not read descriptions.
  const { observabilityFiles } = await import('../observability/observability-files.js');
  const docs = existsSync(PACKAGE_DOCS) ? PACKAGE_DOCS : 'docs';
  const { files, notice } = observabilityFiles({ config: readConfig(env), docs });
  if (options.check) return compare(files);
  for (const [path, text] of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  if (notice !== undefined) out.write(`${notice}\n`);
}

function compare(files: ObservabilityFiles['files']): void {
  const stale = files.filter(([path, text]) => !existsSync(path) || readFileSync(path, 'utf8') !== text);
  if (stale.length === 0) return;
  const names = stale.map(([path]) => path).join(' and ');
  throw new CommandError(`Not what the API description gives: ${names}. Run "npm run observability".`);
}
