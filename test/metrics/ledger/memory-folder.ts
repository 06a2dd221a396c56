import { accessSync, constants, mkdtempSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TMPFS = 0x0102_1994;
const base = memoryBase();

/**
 * The ways in which a ledger can reach its file on this machine: mapping it takes
 * 64-bit Linux, koffi and tmpfs.
 */
export const modes = mappable() ? ['mapped', 'written'] : ['written'];

/** A new folder in memory-backed storage where there is one; whoever asks for it removes it. */
export function memoryFolder(): string {
  return mkdtempSync(join(base, 'ledger-test-'));
}

function memoryBase(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    return tmpdir(); // Elsewhere than on Linux.
  }
}

function mappable(): boolean {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return false;
  try {
    require.resolve('koffi');
  } catch {
    return false;
  }
  return statfsSync(base).type === TMPFS;
}
