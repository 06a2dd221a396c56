import { randomInt } from 'node:crypto';
import { linkSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A JSON value that several processes of one host change. Every change is seen whole or not at all, and none
 * gets lost. A process that dies in the middle of one delays nobody.
 *
 * There is no lock. The value is a file with a number, and the one with the highest number counts. A change
 * is written beside it and linked to the next number, which only one process can do: the others have read
 * an old value and start again.
 */
export class SharedValue {
  readonly #folder: string;
  readonly #name: string;
  readonly #onSpoilt: (path: string) => void;
  /**
   * Random number in the names of this process's drafts: a pid could be the same in another pid namespace.
   */
  readonly #draft = randomInt(2 ** 32);
  #last: Loaded = NONE;

  /**
   * @param name the name of the files, letters only
   * @param onSpoilt called with the path of a file that is no JSON
   */
  constructor(folder: string, name: string, onSpoilt: (path: string) => void = () => {}) {
    this.#folder = folder;
    this.#name = name;
    this.#onSpoilt = onSpoilt;
  }

  /**
   * Reads the value; the same object as before while it is unchanged; undefined if there is none yet, or a
   * power cut has spoilt it. Throws if it cannot be read.
   */
  read(): unknown {
    return this.#load().value;
  }

  /**
   * Replaces the value by the result of `change`; undefined leaves it unchanged. When another process was
   * faster, `change` is called again, and may then get a value that already has its own change: it must
   * recognise that, and make it only once. Throws if the value cannot be written; it is unchanged then.
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
        // A folder that was made anew has the same numbers for other files.
        const { ino, mtimeMs } = statSync(path);
        const file = `${ino} ${mtimeMs}`;
        if (version === this.#last.version && file === this.#last.file) return this.#last;
        const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
        return (this.#last = { version, file, value });
      } catch (err) {
        // The file was replaced after the folder was listed.
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
      // Another process took the number, or is so much further that it has removed our draft.
      if (isCode(err, 'EEXIST') || isCode(err, 'ENOENT')) return false;
      throw err;
    } finally {
      rmSync(draft, { force: true });
    }
    // If there is a higher number by now, its value may be built on ours; or ours never counted, because its
    // number was free only after a removal. `change` will see which.
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
