import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { counterPath } from '../ledger/counter-file.js';
import { detailPath } from '../ledger/detail-file.js';
import { ledgerPath } from '../ledger/ledger.js';
import { requestsInFlightPath } from '../ledger/requests-in-flight.js';
import { reportPath } from './process-report.js';

/** Prefix of the folders of services, of this version and of earlier ones. */
export const FOLDER_PREFIX = 'koa-cluster-metrics-';

/**
 * The number of names to try: another user can take one, and all processes of a
 * service have to find the same.
 */
const NAMES = 10;
const WATCH_MS = 1_000;
const TOUCH_MS = 60_000;

export interface ServiceFolderOptions {
  /** The folder in which all services have theirs (`LEDGER_DIR`). */
  readonly base: string;
  /** The texts that tell services of one user apart. */
  readonly identity: readonly string[];
  /** Called with a path that is skipped, because it is somebody else's, or no folder. */
  readonly onRefused: (path: string) => void;
  /** Called if no folder can be made; `path` does not exist then. */
  readonly onError: (err: Error) => void;
}

/**
 * The folder of a service, which outlives its processes. Each process has its counts there (`ID.ledger`,
 * `ID.details`, `ID.counters`), its last report (`ID.json`), its requests in flight (`ID.requests`) and its
 * socket (`ID.sock`). The service has the archive of ended processes (`archive-N`), its owner (`owner-N`),
 * the endpoint labels that its processes have admitted (`labels`), and the socket for commands
 * (`control.sock`). Ids are never used again.
 */
export class ServiceFolder {
  readonly path: string;

  /** Finds the folder, or makes it for this user only. */
  constructor({ base, identity, onRefused, onError }: ServiceFolderOptions) {
    // The key is short: the path of a socket has room for about a hundred characters (unix(7)).
    const key = createHash('sha256')
      .update(JSON.stringify([userId(), bootId(), ...identity]))
      .digest('hex')
      .slice(0, 12);
    const names = Array.from({ length: NAMES }, (_, i) => FOLDER_PREFIX + (i === 0 ? key : `${key}-${i}`));
    const paths = names.map((name) => join(base, name));
    // An existing folder comes first: a name that another user has given up must not divide a service.
    const path = paths.find(isOurs) ?? paths.find(canMake);
    const tried = path === undefined ? paths : paths.slice(0, paths.indexOf(path));
    for (const one of tried) if (existsSync(one)) onRefused(one);
    if (path === undefined) onError(new Error(`no folder can be made in ${base} that is this user's alone`));
    this.path = path ?? `${join(base, FOLDER_PREFIX)}${key}-absent`;
  }

  /** Returns the ids of processes that have files here, alive or not. */
  ids(): number[] {
    const names = existsSync(this.path) ? readdirSync(this.path) : [];
    const ids = names.flatMap((name) => {
      const [, id] = /^(\d+)\.(?:ledger|details|counters|json|requests|sock)(?:\.new)?$/.exec(name) ?? [];
      return id === undefined ? [] : [Number(id)];
    });
    return [...new Set(ids)];
  }

  /** Returns the path of a process's socket, at which it answers for as long as it is alive. */
  socket(id: number): string {
    return join(this.path, `${id}.sock`);
  }

  /** Returns the path of a process's last report. */
  report(id: number): string {
    return reportPath(this.path, id);
  }

  /**
   * Removes the files of an ended process; its socket last, so that it marks the
   * others until they are removed. Does not throw: what cannot be removed stays.
   */
  remove(id: number): void {
    const files = [ledgerPath, detailPath, counterPath, requestsInFlightPath].map((path) =>
      path(this.path, id),
    );
    try {
      for (const path of [...files, this.report(id), this.socket(id)])
        // A process that was killed, or had no room, may have left a file that it was still writing.
        for (const one of [`${path}.new`, path]) rmSync(one, { force: true });
    } catch {
      // The storage is read-only. Whoever writes to it reports that.
    }
  }

  /** Removes the folder with all that is in it. Does not throw. */
  removeAll(): void {
    try {
      rmSync(this.path, { recursive: true, force: true });
    } catch {
      // Another service removes it when nobody has used it for a day.
    }
  }

  removeIfEmpty(): void {
    try {
      rmdirSync(this.path);
    } catch {
      // The folder is not empty, or does not exist.
    }
  }

  /** Makes the folder anew if somebody has removed it. Tells whether it exists. */
  make(): boolean {
    return canMake(this.path);
  }

  /**
   * Touches the folder, to show that the service runs, and checks every second whether somebody has
   * removed it (a cleaner of temporary files; logind, which empties /dev/shm when a user logs out).
   * The folder is made anew then.
   * @param socket what is gone when the folder was removed: this process's socket in it, or, where there is
   *   none or it cannot be made, the folder itself
   * @param onRemoved called when the folder exists again
   */
  watch(socket: string | undefined, onRemoved: () => void): void {
    const sign = socket !== undefined && existsSync(socket) ? socket : this.path;
    let touched = -Infinity;
    const touch = () => {
      try {
        utimesSync(this.path, new Date(), new Date());
        touched = performance.now();
      } catch {
        // The folder is being removed: the next check sees it.
      }
    };
    setInterval(() => {
      if (existsSync(sign)) {
        if (performance.now() - touched > TOUCH_MS) touch();
      } else if (this.make()) onRemoved();
    }, WATCH_MS).unref();
  }
}

/** Tells whether a path is a folder, not a link, of this user, closed to others. */
export function isOurs(path: string): boolean {
  try {
    const stat = lstatSync(path);
    return stat.isDirectory() && stat.uid === userId() && (stat.mode & 0o077) === 0;
  } catch {
    return false; // it does not exist, or cannot be read
  }
}

/** Makes the folder; true also if another process of this service was faster. */
function canMake(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    // An umask may have removed rights of the owner.
    chmodSync(path, 0o700);
    return true;
  } catch {
    return isOurs(path);
  }
}

function userId(): number {
  return process.geteuid?.() ?? 0;
}

/**
 * Returns the id of this boot; empty where the system does not tell. With it a reboot begins anew, even on
 * storage that outlives it or that hosts share.
 */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
