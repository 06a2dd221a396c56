import { accessSync, constants, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder in memory-backed storage where there is one; whoever asks for it removes it. */
export function memoryFolder(): string {
  let base = tmpdir();
  try {
    accessSync('/dev/shm', constants.W_OK);
    base = '/dev/shm';
  } catch {
    // Elsewhere than on Linux.
  }
  return mkdtempSync(join(base, 'ledger-test-'));
}
