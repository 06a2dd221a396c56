import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** A folder in memory, where there is one: what a service has by default for its ledgers. */
export const memoryBase = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
