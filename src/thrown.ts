import { types } from 'node:util';

/** Returns the message of a thrown error; any other thrown value as text. Never throws. */
export function messageOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error || types.isNativeError(thrown) ? thrown.message : thrown);
  } catch {
    return 'a value that has no text';
  }
}

/** Returns the message of a thrown error in one line. Never throws. */
export function lineOf(thrown: unknown): string {
  return messageOf(thrown).replaceAll(/\s+/g, ' ');
}

/** Returns a thrown error itself; any other thrown value as an error with its text. */
export function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(messageOf(thrown));
}

/** Returns the code of an error of the system or of Node, such as `ENOENT`; undefined for any other value. */
export function codeOf(thrown: unknown): string | undefined {
  if (!types.isNativeError(thrown) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}
