// Runs the service for development: builds and restarts it when a source or the API description changes. While the
// build fails the last one that worked goes on.
import { spawn } from 'node:child_process';
import { readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const node = (script, env) =>
  spawn(process.execPath, [path(script)], { stdio: 'inherit', env: { ...process.env, ...env } });
const ended = (child) => new Promise((resolve) => child.once('exit', resolve));

let service;
let stopping = false;
let changed = true;
let working = false;

/** These folders and all below them, but for the one that the build itself writes to. */
function folders(...names) {
  const below = names.flatMap((name) => readdirSync(path(name), { recursive: true, withFileTypes: true }));
  const nested = below.filter((entry) => entry.isDirectory() && entry.name !== 'generated');
  return [...names.map(path), ...nested.map(({ parentPath, name }) => join(parentPath, name))];
}

async function refresh() {
  if (working || stopping) return;
  working = true;
  while (changed) {
    changed = false;
    if ((await ended(node('scripts/build.mjs'))) === 0 && !stopping) await restart();
  }
  working = false;
}

async function restart() {
  if (service && service.exitCode === null && service.signalCode === null) {
    service.kill('SIGTERM');
    await ended(service);
  }
  // Nobody balances load towards a developer's machine: it stops without delay.
  if (!stopping) service = node('dist/main.js', { SHUTDOWN_DELAY_MS: '0' });
}

// Folder by folder: the recursive watch of Node 20 loses a file that an editor replaces.
for (const folder of folders('src/', 'swagger/')) {
  watch(folder, () => {
    changed = true;
    setTimeout(() => void refresh(), 50);
  });
}

async function stop(signal) {
  stopping = true;
  service?.kill(signal);
  if (service?.exitCode === null) await ended(service);
  process.exit(0);
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void stop(signal));

await refresh();
