import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Returns when a process started, in clock ticks since the host's boot (field 22 of /proc/PID/stat,
 * proc(5)); with the pid it identifies a process for good. Undefined if there is no such process or no
 * /proc; a zombie counts as none.
 */
export function startTime(pid: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field is the program's name in parentheses, which may have spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19]);
}

/** Tells whether that process still runs; true if this can't be told for sure. */
export function isRunning(pid: number, started: number): boolean {
  if (startTime(process.pid) !== undefined) return startTime(pid) === started;
  try {
    process.kill(pid, 0);
    return true;
  } catch (err) {
    return !(err instanceof Error && 'code' in err && err.code === 'ESRCH');
  }
}

/** Returns the inode of the pid namespace in which our pids are valid; 0 if there is none. */
export function pidNamespace(): number {
  try {
    return Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? 0);
  } catch {
    return 0;
  }
}
