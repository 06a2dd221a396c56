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
import { detailPath } from '../ledger/detail-file.js';
import { ledgerPath } from '../ledger/ledger.js';
import { requestsInFlightPath } from '../ledger/requests-in-flight.js';
import { reportPath } from './process-report.js';

/** What all folders of services begin with, of this version and of earlier ones. */
export const FOLDER_PREFIX = 'koa-cluster-metrics-';

/** How many names are tried: another user can take one, and all processes of a service have to find the same. */
const NAMES = 10;
const WATCH_MS = 1_000;
const TOUCH_MS = 60_000;

export interface ServiceFolderOptions {
  /** The folder in which all services have theirs (`LEDGER_DIR`). */
  readonly base: string;
  /** What tells services of one user apart. */
  readonly identity: readonly string[];
  /** Called with a path that is somebody else's, or no folder, and which is passed over. */
  readonly onRefused: (path: string) => void;
  /** Called where no folder can be made: `path` is that of one which is not there. */
  readonly onError: (err: Error) => void;
}

/**
 * The folder of a service, which outlives its processes: what each of them counts (`ID.ledger`, `ID.details`), last said
 * (`ID.json`), has in flight (`ID.requests`), and where it can be asked (`ID.sock`); the archive of those that are gone
 * (`archive-N`); who is in charge (`owner-N`) and where a person asks them (`control.sock`). Ids are never used again.
 */
export class ServiceFolder {
  readonly path: string;

  /** Finds the folder, or makes it for this user only. */
  constructor({ base, identity, onRefused, onError }: ServiceFolderOptions) {
    // Short: the path of a socket has room for about a hundred characters (unix(7)).
    const key = createHash('sha256')
      .update(JSON.stringify([userId(), bootId(), ...identity]))
      .digest('hex')
      .slice(0, 12);
    const names = Array.from({ length: NAMES }, (_, i) => FOLDER_PREFIX + (i === 0 ? key : `${key}-${i}`));
    const paths = names.map((name) => join(base, name));
    // One that is there first: a name that another user has given back must not divide a service.
    const path = paths.find(isOurs) ?? paths.find(canMake);
    const tried = path === undefined ? paths : paths.slice(0, paths.indexOf(path));
    for (const one of tried) if (existsSync(one)) onRefused(one);
    if (path === undefined) onError(new Error(`no folder can be made in ${base} that is this user's alone`));
    this.path = path ?? `${join(base, FOLDER_PREFIX)}${key}-absent`;
  }

  /** The processes that have left something, or are there. */
  ids(): number[] {
    const names = existsSync(this.path) ? readdirSync(this.path) : [];
    const ids = names.flatMap((name) => {
      const [, id] = /^(\d+)\.(?:ledger|details|json|requests|sock)$/.exec(name) ?? [];
      return id === undefined ? [] : [Number(id)];
    });
    return [...new Set(ids)];
  }

  /** Where a process can be asked, and answers for as long as it is alive. */
  socket(id: number): string {
    return join(this.path, `${id}.sock`);
  }

  /** What a process last said of itself. */
  report(id: number): string {
    return reportPath(this.path, id);
  }

  /** Removes what a process that is gone has left; its socket last, so that it is there until all is gone. */
  remove(id: number): void {
    for (const path of [ledgerPath, detailPath, requestsInFlightPath])
      rmSync(path(this.path, id), { force: true });
    for (const path of [this.report(id), this.socket(id)]) rmSync(path, { force: true });
  }

  /** Removes the folder with all that is in it. */
  removeAll(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  removeIfEmpty(): void {
    try {
      rmdirSync(this.path);
    } catch {
      // There is something in it, or it is gone.
    }
  }

  /**
   * Shows that the service is there, and looks every second whether somebody has removed what is here (a cleaner of temporary files;
   * logind, which empties /dev/shm when a user logs out). The folder is made anew then.
   * @param id of this process, which has a socket here
   * @param onRemoved called when the folder is there again
   */
  watch(id: number, onRemoved: () => void): void {
    let touched = -Infinity;
    const touch = () => {
      try {
        utimesSync(this.path, new Date(), new Date());
        touched = performance.now();
      } catch {
        // It is removed this very moment: the next look sees it.
      }
    };
    setInterval(() => {
      if (existsSync(this.socket(id))) {
        if (performance.now() - touched > TOUCH_MS) touch();
      } else if (canMake(this.path)) onRemoved();
    }, WATCH_MS).unref();
  }
}

/** A folder, not a link, of this user, closed to others. */
export function isOurs(path: string): boolean {
  try {
    const stat = lstatSync(path);
    return stat.isDirectory() && stat.uid === userId() && (stat.mode & 0o077) === 0;
  } catch {
    return false; // It is not there, or cannot be looked at.
  }
}

/** Makes it; true also where another process of this service was faster. */
function canMake(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    // An umask may have taken from the owner.
    chmodSync(path, 0o700);
    return true;
  } catch {
    return isOurs(path);
  }
}

function userId(): number {
  return process.geteuid?.() ?? 0;
}

/** A reboot begins anew, also on storage that outlives it or that hosts share. Empty where the system does not tell. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
