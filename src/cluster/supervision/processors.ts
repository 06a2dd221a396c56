import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const CGROUPS = '/sys/fs/cgroup';

/**
 * Returns the number of processors that this process can keep busy: those it may run on, or fewer where
 * its control group has a quota.
 */
export function processorsAllowed(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(quota())));
}

/**
 * Returns the milliseconds that a process has waited for a processor since it began (Linux,
 * /proc/PID/schedstat); 0 where the system does not tell.
 */
export function waitedForProcessor(pid: number): number {
  const [, nanoseconds = '0'] = contentOf(`/proc/${pid}/schedstat`)?.split(' ') ?? [];
  return Number(nanoseconds) / 1e6;
}

/**
 * Returns the quota of the control group in processors, which Node 20 does not respect. Version 2 of control
 * groups comes first, then version 1, each also as a container sees its own.
 */
function quota(): number {
  const own = /^0::(.*)$/m.exec(contentOf('/proc/self/cgroup') ?? '')?.[1] ?? '/';
  const [limit, period] =
    (contentOf(`${CGROUPS}${own}/cpu.max`) ?? contentOf(`${CGROUPS}/cpu.max`))?.split(' ') ??
    ['quota', 'period'].map((name) => contentOf(`${CGROUPS}/cpu/cpu.cfs_${name}_us`));
  const processors = Number(limit) / Number(period);
  // "max", -1 and a missing file mean no quota.
  return processors > 0 ? processors : Infinity;
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
