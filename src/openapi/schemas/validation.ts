import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import { pointerStep } from '../pointer.js';

/** A mistake in a request. */
export interface Fault {
  readonly in: 'path' | 'query' | 'header' | 'cookie' | 'body';
  /** JSON pointer (RFC 6901) to it, from the place that `in` names. */
  readonly path: string;
  readonly message: string;
}

/** A mistake in a value: a JSON pointer (RFC 6901) to it, and a message. */
export interface Complaint {
  readonly path: string;
  readonly message: string;
}

/** Returns the mistakes in a value; `undefined` if it has none. Never changes the value, and never throws. */
export type Validator = (value: unknown) => Complaint[] | undefined;

/** Makes a validator of a compiled schema. */
export function toValidator(validate: ValidateFunction): Validator {
  return (value) => {
    try {
      return validate(value) ? undefined : complaints(validate.errors ?? []);
    } catch (error) {
      // A recursive schema overflows the stack on a value that is nested deep enough:
      // without this it would be a 500.
      if (error instanceof RangeError) return [{ path: '', message: 'is nested too deep' }];
      throw error;
    }
  };
}

/**
 * The most errors that are reported: a body of 100 kB can have 50,000, and a client
 * could make us write them all.
 */
const MOST_ERRORS = 100;

/**
 * Makes one complaint of each error. A choice between schemas (`anyOf`, `oneOf`) gives
 * one, not one for each branch.
 */
function complaints(all: readonly ErrorObject[]): Complaint[] {
  const first = all.slice(0, MOST_ERRORS);
  const errors = first.filter((error) => !isSummary(error, first));
  const choices = errors.filter(isChoice);
  const inBranch = (error: ErrorObject) => choices.some((choice) => isBranch(error, choice));
  return errors
    .filter((error) => error.keyword !== 'if' && !inBranch(error))
    .map((error) => (isChoice(error) ? choiceComplaint(error, errors) : complaint(error)));
}

/** Tells whether an error only says that a name is bad of which an error before it says what is. */
function isSummary({ keyword, params, instancePath }: ErrorObject, all: readonly ErrorObject[]): boolean {
  return (
    keyword === 'propertyNames' &&
    all.some((other) => other.propertyName === params['propertyName'] && other.instancePath === instancePath)
  );
}

function isChoice({ keyword }: ErrorObject): boolean {
  return keyword === 'anyOf' || keyword === 'oneOf';
}

function isBranch(error: ErrorObject, choice: ErrorObject): boolean {
  return (
    error.schemaPath.startsWith(`${choice.schemaPath}/`) &&
    `${placeOf(error)}/`.startsWith(`${placeOf(choice)}/`)
  );
}

/**
 * Joins the complaints of all branches; where several branches of `oneOf` are met, the message is ajv's own.
 */
function choiceComplaint(choice: ErrorObject, errors: readonly ErrorObject[]): Complaint {
  const wanted = errors
    .filter((error) => isBranch(error, choice) && !isChoice(error))
    .map(complaint)
    .map(({ path, message }) => `${path.slice(placeOf(choice).length)} ${message}`.trim());
  const message = wanted.length > 0 ? wanted.join(', or ') : (choice.message ?? '');
  return { path: placeOf(choice), message };
}

/** Returns the JSON pointer to a value, or to the property whose name is bad. */
function placeOf({ instancePath, propertyName }: ErrorObject): string {
  return propertyName === undefined ? instancePath : `${instancePath}${pointerStep(propertyName)}`;
}

function complaint(error: ErrorObject): Complaint {
  const { keyword, params, message } = error;
  const path = placeOf(error);
  const below = (key: unknown) => `${path}${pointerStep(String(key))}`;
  switch (keyword) {
    case 'propertyNames':
      return { path: below(params['propertyName']), message: 'has a name that is not allowed' };
    case 'required':
    case 'dependentRequired':
      return { path: below(params['missingProperty']), message: 'is required' };
    case 'additionalProperties':
      return { path: below(params['additionalProperty']), message: 'is not allowed' };
    case 'unevaluatedProperties':
      return { path: below(params['unevaluatedProperty']), message: 'is not allowed' };
    case 'enum':
      return { path, message: `must be one of ${JSON.stringify(params['allowedValues'])}` };
    case 'const':
      return { path, message: `must be ${JSON.stringify(params['allowedValue'])}` };
    case 'type':
      return { path, message: `must be ${[params['type']].flat().join(' or ')}` };
    default:
      return { path, message: message ?? `does not meet "${keyword}"` };
  }
}
