/** A command that cannot be done; `message` is one line for the person who gave it. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
