import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { compileFunction } from 'node:vm';
import type { ValidateFunction } from 'ajv/dist/2020.js';

/** An API description, compiled by the build: a process that starts loads neither a parser of YAML nor ajv. */
export interface Artifact {
  /**
   * Digests of the files that it was made of, by path relative to the folder of the first
   * one, whose own path is `''`.
   */
  readonly sources: Readonly<Record<string, string>>;
  readonly document: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** The `unknownFormats` of the description. */
  readonly unknownFormats: readonly string[];
  /** Validators by the JSON of their schema. */
  readonly validators: Readonly<Record<string, ValidateFunction>>;
}

/**
 * Returns the path of the artifact, beside the copy of the description in the build's output.
 * Beside sources there is none.
 */
export function artifactFile(description: string): string {
  return `${description}.js`;
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
 * Runs what compileDescription has written as a module that requires as this one does. Inside a function of its
 * own V8 would parse the thousands of validators of a large description once more. The file is ASCII: to decode
 * UTF-8 would take as long again.
 */
function load(file: string): Artifact {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- compileDescription has written what fills it
  const found = {} as Artifact;
  compileFunction(readFileSync(file, 'latin1'), ['require', 'exports'], { filename: file })(require, found);
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
