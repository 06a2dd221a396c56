import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { total } from './support/exposition';
import { eventually } from './support/eventually';
import { disposeAll, Service } from './support/service';

jest.setTimeout(60_000);

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'log-test-'))));
afterEach(async () => {
  await disposeAll();
  rmSync(folder, { recursive: true, force: true });
});

/**
 * A program that logs so many lines of more than 200 bytes, says on stderr how many were lost, and exits with 3.
 * @param then what it does between these
 */
const program = (lines: number, then = ''): string => `
  const { log, linesLost, giveUp } = require('./dist/log.js').openLog('info');
  for (let i = 0; i < ${lines}; i++) log.info({ i }, 'x'.repeat(200));
  ${then}
  process.stderr.write(String(linesLost()), () => process.exit(3));`;

/** Lines that all fit into what may wait for a reader, however few the system takes in. */
const FITTING = 700;

/** The numbers of the lines; throws for a line that is not whole. */
const numbersIn = (log: string): number[] =>
  log
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { i: number }).i); // what `program` logs

test('no line is lost when the process exits at once', () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', program(FITTING)], {
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([3, '0']);
  expect(numbersIn(stdout)).toHaveLength(FITTING);
});

test('a pipe that nobody reads costs the lines for which there is no room, and all of them are counted', async () => {
  const pipe = join(folder, 'pipe');
  spawnSync('mkfifo', [pipe]);
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(pipe, 'w');
  const child = spawn(process.execPath, ['-e', program(5_000, 'giveUp();')], {
    stdio: ['ignore', writer, 'pipe'],
  });
  closeSync(writer);
  const [said, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')]); // there is a pipe
  expect(code).toBe(3);
  const numbers = numbersIn(readFileSync(reader, 'utf8').replace(/[^\n]*$/, ''));
  closeSync(reader);
  // The whole lines that were in the pipe arrive.
  expect(numbers.length).toBeGreaterThan(100);
  expect(numbers).toEqual(numbers.map((_, n) => n));
  expect(Number(said)).toBe(5_000 - numbers.length);
});

/** Runs a program whose stdout is a socket, which Node makes of `pipe`, that nobody reads. Resolves with what it says. */
async function unread(source: string): Promise<string> {
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'pipe'] });
  const stuck = setTimeout(() => child.kill('SIGKILL'), 10_000);
  const [said] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  clearTimeout(stuck);
  return said;
}

test('a socket that nobody reads costs lines too, though every process that ends sets it to waiting', async () => {
  const other = `require('node:child_process').spawnSync(process.execPath, ['-e', ''], { stdio: 'inherit' });`;
  const said = await unread(
    program(2_500, `${other} for (let i = 0; i < 2_500; i++) log.info('x'); giveUp();`),
  );
  expect(Number(said)).toBeGreaterThan(1_000);
});

test('what a handler prints does not fill the memory where nobody reads it', async () => {
  const prints = `
    const { linesLost } = require('./dist/log.js').openLog('info');
    for (let i = 0; i < 64; i++) process.stdout.write('x'.repeat(1024 * 1024));
    process.stderr.write(process.stdout.writableLength + ' ' + linesLost(), () => process.exit());`;
  const [waiting, lost] = (await unread(prints)).split(' ').map(Number);
  expect(waiting).toBeLessThanOrEqual(17 * 1024 * 1024);
  expect(lost).toBeGreaterThan(40);
});

/** A program that prints 1,000 lines of 1 kB and then says so on stderr. */
const printing = `
  require('./dist/log.js').openLog('info');
  const { spawnSync } = require('node:child_process');
  // Each child takes O_NONBLOCK off the streams that it gets.
  const child = () => spawnSync(process.execPath, ['-e', ''], { stdio: 'inherit' });
  for (let i = 0; i < 1_000; i++) { if (i % 200 === 0) child(); console.log(i, 'x'.repeat(1_000)); }
  process.stderr.write('printed');`;

test.each([
  ['a pipe', '"$0" "$@" | (sleep 60 & wait)'],
  ['a socket', 'exec "$0" "$@"'],
])('what is printed to %s that nobody reads never holds up the process', async (_, shell) => {
  const child = spawn('sh', ['-c', shell, process.execPath, '-e', printing], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const late = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), 20_000); // it has started
  const said = new Promise((resolve) => {
    child.stderr.on('data', (part: Buffer) => resolve(String(part)));
    child.on('exit', () => resolve('nothing'));
  });
  expect(await said).toBe('printed');
  clearTimeout(late);
  process.kill(-child.pid!, 'SIGKILL');
});

test('what is printed arrives whole and in order when its reader is slow', async () => {
  const child = spawn(process.execPath, ['-e', printing], { stdio: ['ignore', 'pipe', 'pipe'] });
  await once(child.stderr, 'data');
  const lines = (await text(child.stdout)).split('\n').filter(Boolean);
  expect(lines).toEqual(Array.from({ length: 1_000 }, (_, i) => `${i} ${'x'.repeat(1_000)}`));
});

test('lines wait for a reader that is slow, and arrive in order', async () => {
  const slow = program(FITTING).replace('process.exit(3)', 'setTimeout(() => process.exit(3), 10_000)');
  const child = spawn(process.execPath, ['-e', slow], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [said] = await once(child.stderr, 'data');
  expect(String(said)).toBe('0');
  let log = '';
  child.stdout.on('data', (part: Buffer) => (log += part.toString()));
  await eventually('all lines', 10_000, () => log.split('\n').length === FITTING + 1);
  child.kill();
  expect(numbersIn(log)).toEqual(Array.from({ length: FITTING }, (_, n) => n));
});

test.each([
  ['a pipe whose reader has gone', '"$0" "$@" | true'],
  ['a full disk', '"$0" "$@" > /dev/full'],
])('%s costs all lines, and not the process', (_, shell) => {
  const { stderr } = spawnSync('sh', ['-c', shell, process.execPath, '-e', program(1_000)], {
    encoding: 'utf8',
  });
  expect(Number(stderr)).toBeGreaterThan(900);
});

test('a file that may not grow keeps whole lines', () => {
  const file = join(folder, 'log');
  const limited = `ulimit -f 8; exec "$0" "$@" > ${file}`;
  const { stderr, status } = spawnSync('sh', ['-c', limited, process.execPath, '-e', program(100)], {
    encoding: 'utf8',
  });
  expect(status).toBe(3);
  const numbers = numbersIn(readFileSync(file, 'utf8').replace(/[^\n]*$/, ''));
  expect(numbers.length + Number(stderr)).toBe(100);
});

test('a service whose log is on a full disk serves, stops, and says how many lines it has lost', async () => {
  const service = await Service.start({
    program: join(process.cwd(), 'test/fixtures/service.js'),
    command: ['sh', '-c', 'exec "$0" "$@" > /dev/full', process.execPath],
    env: { ACCESS_LOG: 'off' }, // so that each request has one line
  });
  await service.allReady(2);
  const before = total(await service.scrape(), 'flask_app_log_lines_lost_total');
  for (let n = 0; n < 10; n += 1) expect((await service.get('/throw')).status).toBe(500);
  await eventually('ten more lines are lost', 10_000, async () => {
    return total(await service.scrape(), 'flask_app_log_lines_lost_total') === before + 10;
  });
  // The line that says that it is ready.
  expect(before).toBeGreaterThanOrEqual(1);
  expect(await service.stop()).toEqual({ code: 0, signal: null });
});
