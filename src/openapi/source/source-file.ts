import { readFileSync } from 'node:fs';
import type { Document } from 'yaml';
import { ContractError } from '../contract-error.js';
import { pointerTo } from '../pointer.js';
import { expandedSize } from './expanded-size.js';
import type { Finding } from './finding.js';
import { isRecord } from './grammar.js';
import { offsetInJson } from './json-offset.js';
import { codeOf, messageOf } from '../../thrown.js';

/** A line and a column, from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A YAML or JSON file that knows where in it each value stands. */
export class SourceFile {
  readonly text: string;
  readonly value: unknown;
  /** Said to be JSON by whoever parsed it. */
  #isJson = false;
  #yaml: Document | undefined;
  #lines: readonly number[] | undefined;

  /**
   * Reads a file. Throws ContractError when it can't be read, is not of its format, or is
   * too large when it is expanded.
   */
  constructor(readonly file: string) {
    try {
      this.text = readFileSync(file, 'utf8');
    } catch (error) {
      throw new ContractError(file, '1:1', `cannot be read: ${codeOf(error)}`);
    }
    refuseVersion(this);
    this.value = this.#parsed();
    const reason = expandedSize(this.value);
    if (reason) throw new ContractError(file, '1:1', reason);
  }

  /** The version of OpenAPI that it says, `''` where it says none. */
  get version(): string {
    return isRecord(this.value) && 'openapi' in this.value ? String(this.value['openapi']) : '';
  }

  /** Says it of what is at a path. */
  finding(path: readonly string[], reason: string): Finding {
    const keyword = path.findLast((key) => !/^\d+$/.test(key)) ?? '';
    return { file: this.file, ...this.positionOf(path), pointer: pointerTo(path), keyword, reason };
  }

  /** Returns the position of the value at a path, or else of the nearest value around it. */
  positionOf(path: readonly string[]): Position {
    if (this.#isJson) return this.positionAt(offsetInJson(this.text, path));
    for (let length = path.length; length > 0; length -= 1) {
      const offset = offsetOf(this.#document.getIn(path.slice(0, length), true));
      if (offset !== undefined) return this.positionAt(offset);
    }
    return { line: 1, column: 1 };
  }

  positionAt(offset: number): Position {
    const starts = (this.#lines ??= [0, ...Array.from(this.text.matchAll(/\n/g), ({ index }) => index + 1)]);
    const line = starts.findLastIndex((start) => start <= offset);
    return { line: line + 1, column: offset - (starts[line] ?? 0) + 1 };
  }

  #parsed(): unknown {
    // JSON.parse is twenty times as fast as the parser of YAML, which gets only text that is no JSON.
    if (/^\s*\{\s*"/.test(this.text)) {
      try {
        const value: unknown = JSON.parse(this.text);
        this.#isJson = true;
        return value;
      } catch {
        // The parser of YAML says better where the fault is.
      }
    }
    const [broken] = this.#document.errors;
    if (broken) {
      const { line, column } = this.positionAt(broken.pos[0]);
      throw new ContractError(this.file, `${line}:${column}`, broken.message);
    }
    try {
      return this.#document.toJS({ maxAliasCount: -1 }); // `expandedSize` looks after what aliases become
    } catch (error) {
      throw new ContractError(this.file, '1:1', messageOf(error));
    }
  }

  /** Loads the parser of YAML when it is first needed: that takes longer than the rest of a cold start. */
  get #document(): Document {
    const { parseDocument }: typeof import('yaml') = require('yaml');
    return (this.#yaml ??= parseDocument(this.text, { merge: true, prettyErrors: false }));
  }
}

function offsetOf(node: unknown): number | undefined {
  const range: unknown =
    typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined;
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : undefined;
}

/**
 * Finds the version key at the beginning of a line in YAML, or as the first key in JSON: deeper
 * it is a word like any other.
 */
const VERSION = /(?:^|(?<![^])\s*\{\s*)(["']?)(openapi|swagger)\1\s*:\s*["']?([\d.]+)/m;

/** Checks the version before the text is parsed: parsing many megabytes only to refuse them takes seconds. */
function refuseVersion(source: SourceFile): void {
  const [found = '', , key = '', version = ''] = VERSION.exec(source.text) ?? [];
  const reason = key === '' ? undefined : versionFault(key, version);
  if (reason === undefined) return;
  const { line, column } = source.positionAt(source.text.indexOf(found) + found.length - version.length);
  throw new ContractError(source.file, `${line}:${column} (#/${key})`, reason);
}

/** Returns why a description of this version is not served; `undefined` if it is. */
function versionFault(key: string, version: string): string | undefined {
  if (key === 'swagger')
    return `Swagger ${version} is not served; convert it to OpenAPI 3, with "npx swagger2openapi FILE" or https://converter.swagger.io`;
  return /^3\.[012](\.\d+)?$/.test(version)
    ? undefined
    : `OpenAPI ${version} is not served; it must be 3.0, 3.1 or 3.2`;
}

/**
 * Returns the mapping that a description is. Throws ContractError where it is none, or of
 * a version that is not served.
 */
export function rootOf(source: SourceFile): Readonly<Record<string, unknown>> {
  const { file, value } = source;
  if (!isRecord(value)) throw new ContractError(file, '1:1', 'is not a mapping');
  const key = ['openapi', 'swagger'].find((name) => name in value);
  const version = String(value[key ?? '']);
  const reason = key === undefined ? 'has no "openapi", which says its version' : versionFault(key, version);
  if (reason === undefined) return value;
  const { line, column } = source.positionOf(key === undefined ? [] : [key]);
  throw new ContractError(file, `${line}:${column}`, reason);
}
