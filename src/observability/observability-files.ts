import type { Config } from '../config.js';
import { checkButSchemas } from '../openapi/compile-description.js';
import { ObjectivesError, readObjectives, watchedOperations } from '../openapi/operations/objectives.js';
import type { Operation } from '../openapi/operations/operation.js';
import { descriptionFile } from '../openapi/project/description-file.js';
import { dashboardFile } from './dashboard.js';
import { rulesFile } from './rules.js';

export interface ObservabilityOptions {
  readonly config: Pick<Config, 'metricsPrefix' | 'metricsBuckets'>;
  /** The folder of the pages that alerts name, from that of the project. */
  readonly docs: string;
}

export interface ObservabilityFiles {
  /** Path and text of each. */
  readonly files: readonly (readonly [path: string, text: string])[];
  /** A line for who makes them; `undefined` where there is nothing to say. */
  readonly notice: string | undefined;
}

/**
 * The Prometheus rules and the Grafana dashboard that follow from the API description of the project in the
 * current folder. Throws ContractError or ObjectivesError, which say what is wrong with it.
 */
export function observabilityFiles({ config, docs }: ObservabilityOptions): ObservabilityFiles {
  const { metricsPrefix, metricsBuckets } = config;
  const file = descriptionFile();
  const operations = operationsOf(file);
  const objectives = objectivesOf(file, operations, metricsBuckets);
  const watched = watchedOperations(operations);
  return {
    files: [
      ['deploy/prometheus/rules.yml', rulesFile(objectives, watched, metricsPrefix, docs)],
      ['deploy/grafana/dashboard.json', dashboardFile(objectives, metricsPrefix, docs)],
    ],
    notice: objectives.length === 0 && watched.length > 0 ? `${file}: ${WITHOUT_OBJECTIVES}` : undefined,
  };
}

const WITHOUT_OBJECTIVES =
  'no x-slo, so no objectives and no alerts about error budgets. Of requests only EndpointFailing tells.';

/**
 * Returns the operations of a description. Throws ContractError where one can't be served: it would have no
 * alert.
 */
function operationsOf(file: string): readonly Operation[] {
  const { description, operations } = checkButSchemas(file);
  description.refuseFaults();
  return operations;
}

function objectivesOf(file: string, operations: readonly Operation[], buckets: readonly number[]) {
  try {
    return readObjectives(operations, buckets);
  } catch (error) {
    if (!(error instanceof ObjectivesError)) throw error;
    throw new ObjectivesError([`${file}:`, ...error.problems]);
  }
}
