import { existsSync } from 'node:fs';

const NAMES = [
  'swagger/swagger.yaml',
  'swagger/swagger.yml',
  'swagger/swagger.json',
  'swagger/openapi.yaml',
  'swagger/openapi.yml',
  'swagger/openapi.json',
];

/** Finds the API description of the project in the current folder, of which there may be one. */
export function descriptionFile(): string {
  const [found, ...others] = NAMES.filter((name) => existsSync(name));
  if (found === undefined)
    throw new DescriptionFileError(`There is no API description: none of ${NAMES.join(', ')} is here.`);
  if (others.length > 0)
    throw new DescriptionFileError(`Only one can be the API description: ${[found, ...others].join(', ')}.`);
  return found;
}

class DescriptionFileError extends Error {
  override readonly name = 'DescriptionFileError';
}
