import { createConnection } from 'node:net';
import { join } from 'node:path';

/** Milliseconds that PM2 may take to answer. */
const PATIENCE_MS = 500;

/** The states of instances that should not run, because somebody has stopped them. */
const STOPPED: readonly unknown[] = ['stopping', 'stopped'];

/**
 * A call of PM2 for what `pm2 list` shows, in the parts of a message (AMP, version 1): the call and its id.
 */
const CALL = [`j:${JSON.stringify({ type: 'call', method: 'getMonitorData', args: [{}] })}`, 's:1'];

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Makes a function that resolves with the number of instances of this app that should run, those that PM2 has
 * given up included: only PM2 knows it, since `pm2 scale`, `stop` and `delete` change it at any time. Where
 * PM2 does not tell, it is the last number that it told, or 0.
 * @param env the environment that PM2 has given to this process
 */
export function wantedInstances({ PM2_HOME, name }: Env): () => Promise<number> {
  let last = 0;
  return async () => {
    const list = PM2_HOME === undefined ? undefined : await askPm2(join(PM2_HOME, 'rpc.sock'));
    if (Array.isArray(list)) last = list.filter((instance) => isWanted(instance, name)).length;
    return last;
  };
}

function isWanted(instance: unknown, app: string | undefined): boolean {
  const { name, pm2_env }: Record<string, unknown> = Object(instance);
  const { status, exec_mode }: Record<string, unknown> = Object(pm2_env);
  return name === app && exec_mode === 'cluster_mode' && !STOPPED.includes(status);
}

/** Asks PM2 for its list of processes; undefined if it does not answer in time. Never rejects. */
function askPm2(path: string): Promise<unknown> {
  return new Promise((resolve) => {
    const socket = createConnection({ path }, () => socket.write(message(CALL)));
    const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
    let received: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      // The first part is the answer; its length comes before it.
      const end = received.length < 5 ? Infinity : 5 + received.readUInt32BE(1);
      if (received.length < end) return;
      resolve(listIn(received.toString('utf8', 5, end)));
      socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}

function message(parts: readonly string[]): Buffer {
  const written = parts.map((part) => {
    const bytes = Buffer.from(`    ${part}`);
    bytes.writeUInt32BE(bytes.length - 4);
    return bytes;
  });
  return Buffer.concat([Buffer.of((1 << 4) | parts.length), ...written]);
}

/** Reads the list in an answer, which is JSON after a mark; undefined if it is something else. */
function listIn(text: string): unknown {
  try {
    const { args }: Record<string, unknown> = Object(JSON.parse(text.replace(/^j:/, '')));
    return Array.isArray(args) ? args[0] : undefined;
  } catch {
    return undefined;
  }
}
