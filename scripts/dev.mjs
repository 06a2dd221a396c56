// Runs the service of the project in the current folder for development: builds and restarts it when a source or the API description changes. While the
// build fails the last one that worked goes on.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const path = (name) => join(process.cwd(), name);
const node = (program, env) =>
  spawn(process.execPath, [program], { stdio: 'inherit', env: { ...process.env, ...env } });
const ended = (child) => new Promise((resolve) => child.once('exit', resolve));

const BUILD = fileURLToPath(new URL('build.mjs', import.meta.url));

if (!existsSync(path('src'))) {
  console.error('There is no folder src here: dev runs the project in the current folder.');
  process.exit(1);
}

let service;
let stopping = false;
let changed = true;
let working = false;
let timer;

let watchers = [];

/**
 * Watches the folders of the sources and of the description that there are now, each by itself: the recursive watch of Node 20
 * loses a file that an editor replaces.
 */
function watchAll() {
  const before = watchers;
  watchers = ['src', 'swagger'].map(path).flatMap(foldersBelow).flatMap(watched);
  for (const watcher of before) watcher.close();
}

/** Lists the folders below, without the one that the build writes to. */
function foldersBelow(folder) {
  const nested = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'generated')
    .map(({ name }) => join(folder, name));
  return [folder, ...nested.flatMap(foldersBelow)];
}

function watched(folder) {
  try {
    return [watch(folder, notice)];
  } catch {
    return []; // the folder has just been removed
  }
}

/** An editor writes in several steps: the build waits for the last one. */
function notice() {
  changed = true;
  clearTimeout(timer);
  timer = setTimeout(() => void refresh(), 50);
}

async function refresh() {
  if (working || stopping) return;
  working = true;
  while (changed) {
    changed = false;
    // The watch begins before the build: the build sees the content of a new folder so far,
    // and the watcher later changes.
    watchAll();
    if ((await ended(node(BUILD))) === 0 && !stopping) await restart();
  }
  working = false;
}

async function restart() {
  if (service && service.exitCode === null && service.signalCode === null) {
    service.kill('SIGTERM');
    await ended(service);
  }
  // A developer's machine has no load balancer to wait for: the service stops without delay.
  if (!stopping) service = node(path('dist/main.js'), { SHUTDOWN_DELAY_MS: '0' });
}

async function stop(signal) {
  stopping = true;
  service?.kill(signal);
  if (service?.exitCode === null) await ended(service);
  process.exit(0);
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void stop(signal));

await refresh();
