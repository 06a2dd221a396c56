import { randomInt } from 'node:crypto';
import { linkSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A JSON value that several processes of one host change. Every change is seen whole or not at all, and none gets lost; whoever
 * dies in the middle of one holds up nobody.
 *
 * There is no lock. The value is a file with a number, and the one with the highest number counts. A change is written beside it
 * and linked to the next number, which one process only can do: the others have read an old value and start again.
 */
export class SharedValue {
  readonly #folder: string;
  readonly #name: string;
  readonly #onSpoilt: (path: string) => void;
  /** Tells this process' drafts from those of others, also of another pid namespace. */
  readonly #draft = randomInt(2 ** 32);
  #last: Loaded = NONE;

  /**
   * @param name of the files, letters only
   * @param onSpoilt called with the path of a file that is no JSON
   */
  constructor(folder: string, name: string, onSpoilt: (path: string) => void = () => {}) {
    this.#folder = folder;
    this.#name = name;
    this.#onSpoilt = onSpoilt;
  }

  /**
   * Undefined when there is none yet, or a power cut has spoilt it; the same object as before while it is unchanged. Throws when it
   * cannot be read.
   */
  read(): unknown {
    return this.#load().value;
  }

  /**
   * Replaces the value by what `change` makes of it; undefined leaves it as it is. `change` is called again when another process
   * was faster, and may then meet a value that has its own change in it already: it has to recognise that, and to make it once.
   * Throws when the value cannot be written; it is unchanged then.
   */
  update(change: (value: unknown) => unknown): void {
    for (;;) {
      const { version, value } = this.#load();
      const changed = change(value);
      if (changed === undefined) return;
      if (this.#publish(version + 1, changed)) {
        this.#removeBelow(version + 1);
        return;
      }
    }
  }

  #load(): Loaded {
    for (;;) {
      const version = Math.max(0, ...this.#versions());
      if (version === 0) return NONE;
      const path = this.#path(version);
      try {
        // The number alone may be that of another file, where the folder was removed and made anew.
        const { ino, mtimeMs } = statSync(path);
        const file = `${ino} ${mtimeMs}`;
        if (version === this.#last.version && file === this.#last.file) return this.#last;
        const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
        return (this.#last = { version, file, value });
      } catch (err) {
        // Replaced since the folder was listed.
        if (isCode(err, 'ENOENT')) continue;
        // No process leaves half a value, but a disk may. The next change replaces it.
        if (!(err instanceof SyntaxError)) throw err;
        this.#onSpoilt(path);
        return { ...NONE, version };
      }
    }
  }

  #publish(version: number, value: unknown): boolean {
    const draft = `${this.#path(version)}.${this.#draft}`;
    try {
      writeFileSync(draft, JSON.stringify(value), { mode: 0o600 });
      linkSync(draft, this.#path(version));
    } catch (err) {
      // Another process took the number, or is so much further that it removed our draft.
      if (isCode(err, 'EEXIST') || isCode(err, 'ENOENT')) return false;
      throw err;
    } finally {
      rmSync(draft, { force: true });
    }
    // When a higher one is there by now it may be built on ours, or ours never counted because its number was free only for
    // having been removed already. `change` will see which.
    return Math.max(...this.#versions()) === version;
  }

  #versions(): number[] {
    return this.#files().flatMap(({ version, draft }) => (draft ? [] : [version]));
  }

  #removeBelow(version: number): void {
    for (const file of this.#files()) {
      if (file.version < version) rmSync(join(this.#folder, file.name), { force: true });
    }
  }

  #files(): { name: string; version: number; draft: boolean }[] {
    const pattern = new RegExp(`^${this.#name}-(\\d+)(\\.\\d+)?$`);
    return readdirSync(this.#folder).flatMap((name) => {
      const [, version, draft] = pattern.exec(name) ?? [];
      return version === undefined ? [] : [{ name, version: Number(version), draft: draft !== undefined }];
    });
  }

  #path(version: number): string {
    return join(this.#folder, `${this.#name}-${version}`);
  }
}

interface Loaded {
  readonly version: number;
  readonly file: string;
  readonly value: unknown;
}

const NONE: Loaded = { version: 0, file: '', value: undefined };

function isCode(err: unknown, code: string): boolean {
  return typeof err === 'object' && err !== null && 'code' in err && err.code === code;
}
