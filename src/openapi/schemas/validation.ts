import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import { startEffort } from '../keywords/effort.js';
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
    startEffort(value);
    try {
      return validate(value) ? undefined : complaints(validate.errors ?? []);
    } catch (error) {
      // A recursive schema overflows the stack on a value that is nested deep enough, or is called too often:
      // without this it would be a 500.
      if (error instanceof RangeError) return [{ path: '', message: 'is nested too deep' }];
      throw error;
    } finally {
      startEffort(undefined);
    }
  };
}

/**
 * The most errors that are reported: a body of 100 kB can have 50,000, and a client
 * could make us write them all.
 */
export const MOST_ERRORS = 100;

/** An error, and those in the branches of the choice that it is about. */
interface Group {
  readonly error: ErrorObject;
  readonly branches: readonly ErrorObject[];
}

/**
 * Makes one complaint of each error. A choice between schemas (`anyOf`, `oneOf`) gives
 * one, not one for each branch.
 */
function complaints(all: readonly ErrorObject[]): Complaint[] {
  return grouped(all)
    .filter(({ error }, index, groups) => error.keyword !== 'if' && !isSummary(error, groups[index - 1]))
    .slice(0, MOST_ERRORS)
    .map(({ error, branches }) => (isChoice(error) ? choiceComplaint(error, branches) : complaint(error)));
}

/** Takes the errors of a choice's branches, which stand before its own, out of the list. */
function grouped(all: readonly ErrorObject[]): Group[] {
  const groups: Group[] = [];
  for (let index = all.length - 1; index >= 0; index -= 1) {
    const error = all[index]!;
    const branches = isChoice(error) ? all.slice(index - Number(error.params['branchErrors']), index) : [];
    groups.push({ error, branches });
    index -= branches.length;
  }
  return groups.toReversed();
}

/** Tells whether an error only says that a name is bad of which the error before it says what is. */
function isSummary({ keyword, params, instancePath }: ErrorObject, before: Group | undefined): boolean {
  return (
    keyword === 'propertyNames' &&
    before?.error.propertyName === params['propertyName'] &&
    before?.error.instancePath === instancePath
  );
}

function isChoice({ keyword }: ErrorObject): boolean {
  return keyword === 'anyOf' || keyword === 'oneOf';
}

/**
 * Joins the complaints of all branches; where several branches of `oneOf` are met, the message is ajv's own.
 */
function choiceComplaint(choice: ErrorObject, branches: readonly ErrorObject[]): Complaint {
  const path = placeOf(choice);
  const wanted = (choice.params['met'] === null ? branches : [])
    .filter((error) => error.keyword !== 'if' && !isChoice(error))
    .slice(0, MOST_ERRORS)
    .map(complaint)
    .map((each) => `${each.path.slice(path.length)} ${each.message}`.trim());
  const message = wanted.length > 0 ? [...new Set(wanted)].join(', or ') : (choice.message ?? '');
  return { path, message };
}

/** The most values of an `enum` that are told: a client could make us write thousands for each error. */
const MOST_VALUES = 100;

function listOf(values: readonly unknown[]): string {
  if (values.length <= MOST_VALUES) return JSON.stringify(values);
  return `${JSON.stringify(values.slice(0, MOST_VALUES)).slice(0, -1)}, … ${values.length - MOST_VALUES} more]`;
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
      return { path, message: `must be one of ${listOf(params['allowedValues'])}` };
    case 'const':
      return { path, message: `must be ${JSON.stringify(params['allowedValue'])}` };
    case 'type':
      return { path, message: `must be ${[params['type']].flat().join(' or ')}` };
    default:
      return { path, message: message ?? `does not meet "${keyword}"` };
  }
}
