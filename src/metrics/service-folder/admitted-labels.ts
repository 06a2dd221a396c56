import { SharedValue } from './shared-value.js';

/**
 * The endpoint labels that a service counts by name, of those that clients may make up. All its processes
 * admit the same ones, and so do those that come later: the counts of ended processes stay, with their labels.
 */
export class AdmittedLabels {
  readonly #max: number;
  readonly #shared: SharedValue | undefined;
  readonly #admitted = new Set<string>();

  /**
   * @param max the most labels
   * @param folder the path of the service's folder; without one this process admits for itself
   */
  constructor(max: number, folder: string | undefined) {
    this.#max = max;
    this.#shared = folder === undefined ? undefined : sharedLabels(folder);
  }

  /** Admits a label if it can. Reads the folder only for a label that is new here, and only while there is room. */
  admits(label: string): boolean {
    if (!this.#admitted.has(label) && this.#hasRoom) this.#propose(label);
    return this.#admitted.has(label);
  }

  get #hasRoom(): boolean {
    return this.#admitted.size < this.#max;
  }

  #propose(label: string): void {
    try {
      this.#shared?.update((value) => {
        const shared = labelsIn(value);
        for (const one of shared) if (this.#hasRoom) this.#admitted.add(one);
        // Labels of this process are missing if somebody has removed the folder, or it was full.
        const all = new Set([...shared, ...this.#admitted, ...(this.#hasRoom ? [label] : [])]);
        return all.size > shared.length ? [...all] : undefined;
      });
    } catch {
      // The folder is absent or full, which its ledgers report. The others learn this label from a later change.
    }
    if (this.#hasRoom) this.#admitted.add(label);
  }
}

/** Makes a service begin without admitted labels, as its counts do. */
export function forgetLabels(folder: string): void {
  try {
    sharedLabels(folder).update((value) => (value === undefined ? undefined : []));
  } catch {
    // The folder is absent or can't be written, which its ledgers report.
  }
}

function sharedLabels(folder: string): SharedValue {
  return new SharedValue(folder, 'labels');
}

/** Reads the list of labels: each once. */
function labelsIn(value: unknown): string[] {
  return Array.isArray(value) ? [...new Set(value.filter((one) => typeof one === 'string'))] : [];
}
