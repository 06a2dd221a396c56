/** The part of koffi that is used: C functions of this program, and views of memory at an address. */
export interface Koffi {
  load(library: null): { func(definition: string): (...args: unknown[]) => unknown };
  /** Returns the error number of the last call. */
  errno(): number;
  view(address: bigint, bytes: number): ArrayBuffer;
}

/**
 * Loads koffi, which is an optional dependency. Throws where it is not installed, or
 * has nothing for this platform.
 */
export function loadKoffi(): Koffi {
  return require('koffi'); // its own types are wider, and say `any`
}
