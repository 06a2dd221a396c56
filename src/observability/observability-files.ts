import type { Config } from '../config.js';
import { Description } from '../openapi/description.js';
import { ObjectivesError, readObjectives } from '../openapi/objectives.js';
import { descriptionFile } from '../openapi/project/description-file.js';
import { dashboardFile } from './dashboard.js';
import { rulesFile } from './rules.js';

export interface ObservabilityOptions {
  readonly config: Pick<Config, 'metricsPrefix' | 'metricsBuckets'>;
  /** The folder of the pages that alerts name, from that of the project. */
  readonly docs: string;
}

/**
 * The Prometheus rules and the Grafana dashboard that follow from the API description of the project in the current
 * folder: path and text of each file. Throws ContractError or ObjectivesError, which say what is wrong with it.
 */
export function observabilityFiles({ config, docs }: ObservabilityOptions): [path: string, text: string][] {
  const { metricsPrefix, metricsBuckets } = config;
  const objectives = objectivesOf(descriptionFile(), metricsBuckets);
  return [
    ['deploy/prometheus/rules.yml', rulesFile(objectives, metricsPrefix, docs)],
    ['deploy/grafana/dashboard.json', dashboardFile(objectives, metricsPrefix, docs)],
  ];
}

function objectivesOf(file: string, buckets: readonly number[]) {
  try {
    const description = new Description(file, { compiled: false });
    description.refuseFaults();
    return readObjectives(description.document, buckets);
  } catch (error) {
    if (!(error instanceof ObjectivesError)) throw error;
    throw new ObjectivesError([`${file}:`, ...error.problems]);
  }
}
