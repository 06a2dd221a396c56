import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';

/** One thing that is wrong with a request. */
export interface Fault {
  readonly in: 'path' | 'query' | 'header' | 'cookie' | 'body';
  /** JSON pointer (RFC 6901) to it, from the place that `in` names. */
  readonly path: string;
  readonly message: string;
}

/** What is wrong with a value, as JSON pointer and message. */
export interface Complaint {
  readonly path: string;
  readonly message: string;
}

/** Says what is wrong with a value; `undefined` if nothing is. Never changes the value, and never throws. */
export type Validator = (value: unknown) => Complaint[] | undefined;

/** A validator of what a compiled schema wants. */
export function toValidator(validate: ValidateFunction): Validator {
  return (value) => {
    try {
      return validate(value) ? undefined : complaints(validate.errors ?? []);
    } catch (error) {
      // A recursive schema and a value that is nested as deep as the stack.
      if (error instanceof RangeError) return [{ path: '', message: 'is nested too deep' }];
      throw error;
    }
  };
}

/** A body of 100 kB can have 50,000 faults; nobody reads them, and nobody should make us write them. */
const MOST_ERRORS = 100;

/** One complaint for every fault. Of a choice between schemas only the choice is one, not each branch of it. */
function complaints(all: readonly ErrorObject[]): Complaint[] {
  const errors = all.slice(0, MOST_ERRORS);
  const choices = errors.filter(isChoice);
  const inBranch = (error: ErrorObject) => choices.some((choice) => isBranch(error, choice));
  return errors
    .filter((error) => error.keyword !== 'if' && !inBranch(error))
    .map((error) => (isChoice(error) ? choiceComplaint(error, errors) : complaint(error)));
}

function isChoice({ keyword }: ErrorObject): boolean {
  return keyword === 'anyOf' || keyword === 'oneOf';
}

function isBranch(error: ErrorObject, choice: ErrorObject): boolean {
  return (
    error.schemaPath.startsWith(`${choice.schemaPath}/`) && error.instancePath.startsWith(choice.instancePath)
  );
}

/** Says what each branch would have wanted of the value; nothing, if more than one branch of `oneOf` took it. */
function choiceComplaint(choice: ErrorObject, errors: readonly ErrorObject[]): Complaint {
  const wanted = errors
    .filter((error) => isBranch(error, choice) && !isChoice(error))
    .map(complaint)
    .map(({ path, message }) => `${path.slice(choice.instancePath.length)} ${message}`.trim());
  const message = wanted.length > 0 ? wanted.join(', or ') : (choice.message ?? '');
  return { path: choice.instancePath, message };
}

function complaint({ keyword, instancePath, params, message }: ErrorObject): Complaint {
  const below = (key: unknown) =>
    `${instancePath}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
  switch (keyword) {
    case 'required':
    case 'dependentRequired':
      return { path: below(params['missingProperty']), message: 'is required' };
    case 'additionalProperties':
      return { path: below(params['additionalProperty']), message: 'is not allowed' };
    case 'unevaluatedProperties':
      return { path: below(params['unevaluatedProperty']), message: 'is not allowed' };
    case 'enum':
      return { path: instancePath, message: `must be one of ${JSON.stringify(params['allowedValues'])}` };
    case 'const':
      return { path: instancePath, message: `must be ${JSON.stringify(params['allowedValue'])}` };
    case 'type':
      return { path: instancePath, message: `must be ${[params['type']].flat().join(' or ')}` };
    default:
      return { path: instancePath, message: message ?? `does not meet "${keyword}"` };
  }
}
