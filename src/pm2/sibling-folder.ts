import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { detailPath } from '../metrics/ledger/detail-file.js';
import { ledgerPath } from '../metrics/ledger/ledger.js';

/**
 * The folder in which all instances of an app meet that a process manager runs in its own cluster. An instance is a number;
 * it is there as long as its socket is, and alive as long as something answers at it.
 */
export class SiblingFolder {
  readonly path: string;

  /**
   * Makes the folder, for this user only, or finds it. `app` is what tells apps apart.
   * Throws when it cannot be made or is somebody else's.
   */
  constructor(base: string, app: readonly string[]) {
    const user = process.geteuid?.() ?? 0;
    // Short: the path of a socket has room for about a hundred characters (unix(7)).
    const key = createHash('sha256')
      .update(JSON.stringify([user, ...app]))
      .digest('hex')
      .slice(0, 12);
    this.path = join(base, `koa-cluster-metrics-pm2-${key}`);
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    const stat = lstatSync(this.path);
    if (!stat.isDirectory() || stat.uid !== user || (stat.mode & 0o077) !== 0) {
      throw new Error(`${this.path} is not a folder that is this user's alone`);
    }
  }

  /** The instances that are there, dead ones included. */
  list(): number[] {
    return readdirSync(this.path).flatMap((name) => {
      const [, id] = /^(\d+)\.sock$/.exec(name) ?? [];
      return id === undefined ? [] : [Number(id)];
    });
  }

  socket(id: number): string {
    return join(this.path, `${id}.sock`);
  }

  ledger(id: number): string {
    return ledgerPath(this.path, id);
  }

  /** What an instance last said of itself. */
  report(id: number): string {
    return join(this.path, `${id}.json`);
  }

  /** Removes what a dead instance has left; its socket last, so that it is there until all is gone. */
  remove(id: number): void {
    const paths = [detailPath(this.path, id), this.ledger(id), this.report(id), this.socket(id)];
    for (const path of paths) rmSync(path, { force: true });
  }
}
