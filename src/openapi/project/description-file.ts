import { existsSync } from 'node:fs';

const NAMES = [
  'swagger/swagger.yaml',
  'swagger/swagger.yml',
  'swagger/swagger.json',
  'swagger/openapi.yaml',
  'swagger/openapi.yml',
  'swagger/openapi.json',
];

/** Finds the API description of the project in the current folder. */
export function descriptionFile(): string {
  const found = NAMES.find((name) => existsSync(name));
  if (found === undefined) throw new DescriptionMissing();
  return found;
}

class DescriptionMissing extends Error {
  override readonly name = 'DescriptionMissing';

  constructor() {
    super(`There is no API description: none of ${NAMES.join(', ')} is here.`);
  }
}
