import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Load, type LoadOptions, type LoadReport } from '../support/load-client';

/**
 * A load in a process of its own: reading what is answered takes nothing from a client whose latency is measured. It ends with
 * `stop`, or with this process.
 */
export class RemoteLoad {
  readonly #child;

  /** Starts a load. Resolves when it has begun. */
  static async start(options: Omit<LoadOptions, 'path'> & { readonly path: string }): Promise<RemoteLoad> {
    const child = fork(__filename, { serialization: 'advanced' });
    child.send(options);
    await once(child, 'message');
    return new RemoteLoad(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  async stop(): Promise<LoadReport> {
    this.#child.send('stop');
    const [report] = (await once(this.#child, 'message')) as [LoadReport];
    this.#child.disconnect();
    return report;
  }
}

if (require.main === module) {
  let load: Load | undefined;
  process.on('message', (message: LoadOptions | 'stop') => {
    if (message === 'stop') void load?.stop().then((report) => process.send?.(report));
    else {
      load = new Load(message);
      process.send?.('begun');
    }
  });
  process.on('disconnect', () => process.exit());
}
