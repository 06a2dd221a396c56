import { closeSync, constants, fstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The endpoint labels that a service counts by name, of those that clients may make up. All its processes
 * admit the same ones, and so do those that come later: the counts of ended processes stay, with their
 * labels.
 *
 * The labels are lines of a file, JSON each, to which every process appends. The order of the file decides
 * which are the first ones. A line that was cut off, because the storage was full, counts for nothing.
 */
export class AdmittedLabels {
  readonly #max: number;
  readonly #path: string | undefined;
  readonly #admitted = new Set<string>();
  #fd: number | undefined;
  /** The number of bytes that were read. */
  #end = 0;

  /**
   * @param max the most labels
   * @param folder the path of the service's folder; without one this process admits for itself
   */
  constructor(max: number, folder: string | undefined) {
    this.#max = max;
    this.#path = folder === undefined ? undefined : pathOf(folder);
  }

  /**
   * Admits a label if it can. Reads the file only for a label that is new here, and only while there is room.
   */
  admits(label: string): boolean {
    if (!this.#admitted.has(label) && this.#hasRoom) this.#propose(label);
    return this.#admitted.has(label);
  }

  get #hasRoom(): boolean {
    return this.#admitted.size < this.#max;
  }

  #propose(label: string): void {
    try {
      if (this.#path !== undefined) this.#share(label, this.#path);
    } catch {
      // The folder is absent or full, which its ledgers report. The others do not learn this label.
    }
    if (this.#hasRoom) this.#admitted.add(label);
  }

  #share(label: string, path: string): void {
    const labels: string[] = [];
    if (this.#fd === undefined || fstatSync(this.#fd).nlink === 0) {
      // Somebody has removed the file, with the labels of this process.
      labels.push(...this.#admitted);
      this.#open(path);
    }
    this.#read();
    if (this.#hasRoom && !this.#admitted.has(label)) labels.push(label);
    if (labels.length === 0 || this.#fd === undefined) return;
    // The end of the line comes first, too: the line before may have been cut off.
    writeSync(this.#fd, labels.map((one) => `\n${JSON.stringify(one)}\n`).join(''));
    this.#read();
  }

  #open(path: string): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDWR } = constants;
    this.#fd = openSync(path, O_APPEND | O_CREAT | O_NOFOLLOW | O_RDWR, 0o600);
    this.#end = 0;
  }

  /** Takes in the lines that are new, and whole. */
  #read(): void {
    if (this.#fd === undefined) return;
    const bytes = Buffer.alloc(fstatSync(this.#fd).size - this.#end);
    const read = readSync(this.#fd, bytes, 0, bytes.length, this.#end);
    const end = bytes.subarray(0, read).lastIndexOf('\n') + 1;
    this.#end += end;
    for (const line of bytes.toString('utf8', 0, end).split('\n')) {
      const label = line === '' ? undefined : labelIn(line);
      if (label !== undefined && this.#hasRoom) this.#admitted.add(label);
    }
  }
}

/** Makes a service begin without admitted labels, as its counts do. */
export function forgetLabels(folder: string): void {
  try {
    rmSync(pathOf(folder), { force: true });
  } catch {
    // The folder can't be written, which its ledgers report.
  }
}

function pathOf(folder: string): string {
  return join(folder, 'labels');
}

function labelIn(line: string): string | undefined {
  try {
    const label: unknown = JSON.parse(line);
    return typeof label === 'string' ? label : undefined;
  } catch {
    return undefined;
  }
}
