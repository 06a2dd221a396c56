import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
}

/** Every live process of the host; zombies are not alive. From /proc, or from ps where there is none. */
function processes(): ProcessEntry[] {
  const lines =
    process.platform === 'linux'
      ? procStats()
      : execFileSync('ps', ['-A', '-o', 'pid=,stat=,ppid=,pgid='], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const [pid, state = '', parent, group] = line.trim().split(/\s+/);
    if (group === undefined || /^[ZX]/.test(state)) return [];
    return [{ pid: Number(pid), parent: Number(parent), group: Number(group) }];
  });
}

function procStats(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        // The command name may hold spaces and parentheses: what follows the last one is safe to split.
        return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2)}`;
      } catch {
        return ''; // It ended since the folder was listed.
      }
    });
}

/** Pids of the live children of a process, ascending. */
export function childrenOf(parent: number): number[] {
  return processes()
    .filter((entry) => entry.parent === parent)
    .map(({ pid }) => pid)
    .toSorted((a, b) => a - b);
}

/** Pids of the live members of a process group, also those whose parent is gone. */
export function groupMembers(group: number): number[] {
  return processes()
    .filter((entry) => entry.group === group)
    .map(({ pid }) => pid);
}

export function alive(pid: number): boolean {
  return processes().some((entry) => entry.pid === pid);
}

/** Resident memory in bytes. Linux only. */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(match?.[1]) * 1024;
}

/** Seconds of CPU, user and system, that a process has used. Linux only. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Established TCP connections on a local port that a process holds. Linux only. */
export function connectionsOf(pid: number, port: number): number {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  const established = new Set(
    ['tcp', 'tcp6']
      .flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, 'latin1').split('\n').slice(1))
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[1]?.endsWith(`:${hexPort}`) === true && fields[3] === '01')
      .map((fields) => `socket:[${fields[9]}]`),
  );
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return established.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false; // Closed since the folder was listed.
    }
  }).length;
}
