import type { Place } from '../description.js';
import { essenceOf, fullTypeOf, isJson } from '../media-type.js';
import type { Serialized } from './parameters.js';
import { isBinary } from '../schemas/binary.js';
import { choices, conjuncts, keywordOf } from '../schemas/conjuncts.js';
import type { Defaults, Fill } from '../schemas/defaults.js';
import { ANYTHING, type Shape, shapeOf } from '../schemas/shape.js';
import type { Validator } from '../schemas/validation.js';

/** The way a body is read. A body of any other type goes to the handler as a `stream`. */
export type BodyKind = 'json' | 'text' | 'form' | 'multipart' | 'stream';

export interface BodyContent {
  readonly kind: BodyKind;
  /** Validates a request that has such a body. */
  readonly validate: Validator | undefined;
  /** Puts defaults into a body that is valid. */
  readonly fill: Fill | undefined;
  /** The fields of a form, or the parts of a multipart body that are no files. */
  readonly fields: readonly Serialized[];
  /** The parts of a multipart body that are files: the name of each, and whether it is a list of files. */
  readonly files: ReadonlyMap<string, boolean>;
  /** Tells whether a part that is not declared may be a file: a schema of all others may make it a text. */
  readonly mayBeFile: (name: string) => boolean;
}

/** The parts of a form. */
type Parts = Pick<BodyContent, 'fields' | 'files' | 'mayBeFile'>;

/** The body that an operation declares. */
export interface DeclaredBody {
  readonly required: boolean;
  /** Contents by media type or range, with its parameters. */
  readonly contents: ReadonlyMap<string, BodyContent>;
}

/**
 * Makes the validator of a request with a body of this schema. Without a schema, the body is not validated.
 */
type RequestValidator = (place: Place, body?: object) => Validator | undefined;

/**
 * Reads the declared body of an operation; `undefined` if it has none. Throws
 * ContractError for a mistake in it.
 */
export function declaredBody(
  place: Place,
  defaults: Defaults,
  validator: RequestValidator,
): DeclaredBody | undefined {
  const declared = place.at('requestBody');
  if (declared.value === undefined) return undefined;
  const contents = declared.at('content').entries();
  if (contents.length === 0) declared.fail('has no content');
  return {
    required: declared.at('required').boolean(),
    contents: new Map(
      contents.map(([type, content]) => [fullTypeOf(type), bodyContent(type, content, defaults, validator)]),
    ),
  };
}

function bodyContent(
  type: string,
  content: Place,
  defaults: Defaults,
  validator: RequestValidator,
): BodyContent {
  const schema = content.own('schema');
  const kind = kindOf(essenceOf(type), schema);
  const isValidated = kind !== 'stream' && schema.value !== undefined;
  const parts = kind === 'form' || kind === 'multipart' ? partsOf(content, schema, kind) : NO_PARTS;
  return {
    kind,
    ...parts,
    validate: validator(content, isValidated ? schema.asSchema('request') : undefined),
    fill: isValidated ? defaults.of(schema) : undefined,
  };
}

function kindOf(essence: string, schema: Place): BodyKind {
  if (essence.includes('*')) return 'stream';
  if (isJson(essence)) return 'json';
  if (essence === 'application/x-www-form-urlencoded') return 'form';
  if (essence === 'multipart/form-data') return 'multipart';
  if (!essence.startsWith('text/')) return 'stream';
  const { types } = shapeOf(schema);
  // XML that is described as an object is not parsed here: its handler gets the stream.
  return types.size === 0 || types.has('string') ? 'text' : 'stream';
}

const NO_PARTS: Parts = { fields: [], files: new Map(), mayBeFile: () => false };

/**
 * Returns the fields and files of a form, as its encoding object describes them (OpenAPI 3.1 section 4.8.15).
 */
function partsOf(content: Place, schema: Place, kind: 'form' | 'multipart'): Parts {
  const encodingOf = (name: string) => content.at('encoding').at(name);
  const shape = shapeOf(schema);
  const isPart = ([name, place]: [string, Place]) => kind === 'multipart' && isFile(place, encodingOf(name));
  const files = new Map(
    [...propertiesOf(schema)]
      .filter(isPart)
      .map(([name]) => [name, shape.property(name)?.types.has('array') ?? false]),
  );
  const fields = [...shape.names].filter((name) => !files.has(name));
  const shapeOfPart = (name: string) => shape.property(name) ?? ANYTHING;
  const mayBeFile = (name: string) => {
    const part = shapeOfPart(name);
    return part.types.size === 0 || part.isBinary || part.item(0).isBinary;
  };
  return {
    files,
    mayBeFile,
    fields: fields.map((name) => fieldOf(name, shapeOfPart(name), encodingOf(name), kind)),
  };
}

const FORM_STYLES = ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'] as const;

function fieldOf(name: string, shape: Shape, encoding: Place, kind: 'form' | 'multipart'): Serialized {
  const declared = encoding.at('style').value;
  const style = FORM_STYLES.find((known) => known === (declared ?? 'form'));
  if (!style) return encoding.own('style').fail(`must be one of ${FORM_STYLES.join(', ')}`);
  const isExploded =
    encoding.at('explode').value === undefined ? style === 'form' : encoding.at('explode').boolean();
  const type = encoding.at('contentType').string();
  const isSaid = type !== undefined && isJson(essenceOf(type));
  const isStyled = declared !== undefined || (kind === 'form' && !isExploded);
  const isDocument = isSaid || (!isStyled && isDocumentUnsaid(shape, kind));
  // Only in a form may the properties of an object be fields of their own instead.
  const isWhole = isDocument && shape.types.has('object') && (isSaid || kind === 'multipart');
  const content = isDocument ? 'application/json' : undefined;
  return { name, in: 'body', shape, style, explode: isExploded && !isWhole, content };
}

/**
 * Tells whether a field is JSON where its encoding says nothing: an object, and each item of a list of
 * objects. What may be a text is none: `5` would be a number.
 */
function isDocumentUnsaid(shape: Shape, kind: 'form' | 'multipart'): boolean {
  if (kind === 'multipart' && shape.types.has('object')) return true;
  return [shape.types, shape.item(0).types].some((all) => all.has('object') && !all.has('string'));
}

function propertiesOf(schema: Place): Map<string, Place> {
  const parts = [...choices(schema).values()].flatMap((choice) => [...conjuncts(choice).values()]);
  return new Map(parts.flatMap((part) => part.own('properties').ownEntries()));
}

/**
 * Tells whether a part is a file: its schema or that of its items is binary, or has a branch that is, or its
 * encoding names neither text nor JSON.
 */
function isFile(property: Place, encoding: Place): boolean {
  const said = [...choices(property).values()];
  const items = said.map((one) => keywordOf(one, 'items')).filter((found) => found !== undefined);
  const ofItems = items.flatMap((one) => [...choices(one).values()]);
  const type = encoding.at('contentType').string();
  return (
    [...said, ...ofItems].some(isBinary) ||
    (type !== undefined && !isJson(essenceOf(type)) && !type.startsWith('text/'))
  );
}
