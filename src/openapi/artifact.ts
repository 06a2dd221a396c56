import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { compileFunction } from 'node:vm';
import type { ValidateFunction } from 'ajv/dist/2020.js';

/**
 * An API description, compiled by the build: a process that starts loads neither a parser of YAML nor ajv.
 */
export interface Artifact {
  /**
   * Digests of the files that it was made of, by path relative to the folder of the first
   * one, whose own path is `''`.
   */
  readonly sources: Readonly<Record<string, string>>;
  readonly document: Readonly<Record<string, unknown>>;
  /** The description as text; `undefined` where it is the text of the first file. */
  readonly text?: string;
  /** The `unknownFormats` of the description. */
  readonly unknownFormats: readonly string[];
  /** JSON pointers of the bodies' schemas that have defaults. */
  readonly withDefaults: readonly string[];
  /** Validators by the JSON of their schema. */
  readonly validators: Readonly<Record<string, ValidateFunction>>;
}

/**
 * Returns the path of the artifact, beside the copy of the description in the build's output.
 * Beside sources there is none.
 */
function artifactFile(description: string): string {
  return `${description}.js`;
}

/** The parameters of the function that an artifact is the body of. */
const PARAMETERS = ['require', 'exports'];

/** Returns the path of what V8 has made of the code with this digest. It lies beside the artifact. */
function codeCacheFile(file: string, digest: string): string {
  return `${file}.${digest}.cache`;
}

/** Writes an artifact, and what V8 makes of it, so that a process that starts has nothing to parse. */
export function writeArtifact(description: string, code: string): void {
  const file = artifactFile(description);
  const digest = createHash('sha256').update(code).digest('hex').slice(0, DIGEST_LENGTH);
  const source = `//${digest}\n${code}`;
  const { cachedData } = compileFunction(source, PARAMETERS, { filename: file, produceCachedData: true });
  writeFileSync(file, source);
  if (cachedData) writeFileSync(codeCacheFile(file, digest), cachedData);
}

/**
 * Returns the artifact of exactly these files; `undefined` if one has changed
 * since, or they were never built.
 */
export function findArtifact(description: string): Artifact | undefined {
  const file = resolve(artifactFile(description));
  if (!existsSync(file)) return undefined;
  const found = load(file);
  const isSame = Object.entries(found.sources).every(
    ([path, digest]) => digestOf(path === '' ? description : join(dirname(description), path)) === digest,
  );
  return isSame ? found : undefined;
}

/**
 * V8 takes a cache to be that of any code of the same length: a digest in the name of its file tells them
 * apart.
 */
const DIGEST_LENGTH = 16;

/**
 * Runs what writeArtifact has written as a module that requires as this one does. Inside a function of its
 * own V8 would parse the thousands of validators of a large description once more. The file is ASCII: to
 * decode UTF-8 would take as long again. V8 refuses a cache that another version has made, and parses the
 * code.
 */
function load(file: string): Artifact {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- compileDescription fills it
  const found = {} as Artifact;
  const source = readFileSync(file, 'latin1');
  const cache = codeCacheFile(file, source.slice('//'.length, '//'.length + DIGEST_LENGTH));
  const cachedData = existsSync(cache) ? { cachedData: readFileSync(cache) } : {};
  compileFunction(source, PARAMETERS, { filename: file, ...cachedData })(require, found);
  return found;
}

/** Returns the SHA-256 digest of a file in hex; `undefined` if the file can't be read. */
export function digestOf(file: string): string | undefined {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex');
  } catch {
    return undefined;
  }
}
