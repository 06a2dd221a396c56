/** A JSON pointer (RFC 6901) as the fragment of a reference. */
export function pointerTo(path: readonly string[]): string {
  return `#${path.map(pointerStep).join('')}`;
}

/** Writes a key of a JSON pointer, with the slash before it. */
export function pointerStep(key: string): string {
  return `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** The keys of a pointer such as `/paths/~1a`, percent-encoded as in a reference or not. */
export function pathOfPointer(pointer: string): string[] {
  return decoded(pointer)
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** A key with a bare "%" in it is taken as it is. */
function decoded(pointer: string): string {
  try {
    return decodeURIComponent(pointer);
  } catch {
    return pointer;
  }
}
