import { type Document, LineCounter, isNode, parseDocument } from 'yaml';
import { ContractError } from './contract-error.js';

/** A YAML file that knows where in it each value stands. */
export class YamlSource {
  readonly document: Readonly<Record<string, unknown>>;
  readonly #yaml: Document;
  readonly #lines = new LineCounter();

  /** Throws ContractError when the text is not YAML or not a mapping. */
  constructor(file: string, text: string) {
    this.#yaml = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    const broken = this.#yaml.errors[0];
    if (broken) throw new ContractError(file, this.#lineAt(broken.pos[0]), broken.message);
    const document: unknown = this.#yaml.toJS();
    if (typeof document !== 'object' || document === null || Array.isArray(document)) {
      throw new ContractError(file, '1:1', 'is not a mapping');
    }
    this.document = { ...document };
  }

  /** `line:column` of what is at a path, or else of the nearest that is around it. */
  lineOf(path: readonly string[]): string {
    for (let length = path.length; length > 0; length -= 1) {
      const node: unknown = this.#yaml.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return this.#lineAt(node.range[0]);
    }
    return '1:1';
  }

  #lineAt(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${line}:${col}`;
  }
}
