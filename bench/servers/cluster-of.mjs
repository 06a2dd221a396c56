// @ts-check
import cluster from 'node:cluster';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

// cluster-of.mjs WORKERS PROGRAM [ARG…]: so many processes of a server program of the bench behind one port, as Node's documentation of
// cluster does it.
const [workers, program = '', ...args] = process.argv.slice(2);
cluster.setupPrimary({ exec: fileURLToPath(new URL(program, import.meta.url)), args });

process.on('disconnect', () => process.exit());
const announced = await Promise.all(
  Array.from({ length: Number(workers) }, async () => (await once(cluster.fork(), 'message'))[0]),
);
process.send?.(announced[0]);
