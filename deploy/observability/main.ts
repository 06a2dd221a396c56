import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';
import { ConfigError, readConfig } from '../../src/config.js';
import { dashboardFile } from './dashboard.js';
import { ObjectivesError, readObjectives } from '../../src/openapi/objectives.js';
import { rulesFile } from './rules.js';

const DESCRIPTION = 'swagger/swagger.yaml';

/**
 * Writes the Prometheus rules and the Grafana dashboard that follow from the API description, METRICS_PREFIX and
 * METRICS_BUCKETS. With `--check` it writes nothing and exits 1, naming the files, when what is there differs.
 */
function main(argv: readonly string[]): number {
  const [unknown] = argv.filter((argument) => argument !== '--check');
  if (unknown !== undefined) throw new Error(`unknown argument ${unknown}: expected --check or nothing`);
  const files = generate();
  if (!argv.includes('--check')) {
    for (const [file, text] of files) writeFileSync(file, text);
    return 0;
  }
  const stale = files.filter(([file, text]) => !existsSync(file) || readFileSync(file, 'utf8') !== text);
  for (const [file] of stale)
    console.error(`${file}: not what ${DESCRIPTION} gives. Run "npm run observability".`);
  return stale.length > 0 ? 1 : 0;
}

function generate(): [file: string, text: string][] {
  const { metricsPrefix, metricsBuckets } = readConfig(process.env);
  const objectives = readObjectives(parse(readFileSync(DESCRIPTION, 'utf8')), metricsBuckets);
  return [
    ['deploy/prometheus/rules.yml', rulesFile(objectives, metricsPrefix)],
    ['deploy/grafana/dashboard.json', dashboardFile(objectives, metricsPrefix)],
  ];
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  const known = error instanceof ObjectivesError || error instanceof ConfigError;
  const source = error instanceof ObjectivesError ? `${DESCRIPTION}:\n` : '';
  console.error(known ? source + error.message : error);
  process.exitCode = 1;
}
