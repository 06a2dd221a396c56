import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { readLedger, type LedgerContent } from '../../../src/metrics/ledger/ledger-reader';
import { eventually } from '../../support/eventually';
import { memoryFolder, modes } from './memory-folder';

// Real files and processes: on a busy machine they take their time.
jest.setTimeout(60_000);

const fixture = (name: string): string => join(__dirname, '../../fixtures', name);
let folder: string;
let child: ChildProcess | undefined;

beforeEach(() => (folder = memoryFolder()));
afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

function ledger(): LedgerContent | undefined {
  return readLedger(join(folder, '1.ledger'));
}

function counted(content: LedgerContent | undefined): number {
  return (content?.rows ?? []).reduce((all, { cells }) => all + (cells[0] ?? 0) + (cells[1] ?? 0), 0);
}

describe.each(modes)('a %s ledger whose process is killed', (mode) => {
  it.each([1, 500, 5000])(
    'has every count that was announced, and at most one more (kill after %i)',
    async (least) => {
      child = spawn(process.execPath, [fixture('counting-process.js'), folder, mode], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let tail = '';
      let announced = 0;
      child.stdout?.on('data', (chunk: Buffer) => {
        const lines = (tail + String(chunk)).split('\n');
        tail = lines.pop() ?? '';
        announced = Number(lines.at(-1) ?? announced);
      });
      await eventually('counts', 20_000, () => announced >= least);
      expect(counted(ledger())).toBeGreaterThanOrEqual(least);
      child.kill('SIGKILL');
      await once(child, 'close');
      expect([announced, announced + 1]).toContain(counted(ledger()));
    },
  );
});

interface Outcome {
  errors: number;
  warnings: string[];
  inMemory: (string | number)[][];
}

type Storage = [name: string, run: (mode: string) => Run];
const storages: Storage[] = [
  ['under a limit of the file size', (mode) => limited(mode, 64)],
  // Mounting needs privileges that not every machine gives; another limit of the file size comes next to it.
  ['on a small tmpfs', (mode) => onSmallTmpfs(mode) ?? limited(mode, 32)],
];

describe.each(modes)('a %s ledger on storage that gets full', (mode) => {
  it.each(storages)('keeps what fitted, counts the rest in memory and warns once, %s', (_, runOn) => {
    const { outcome, content } = runOn(mode);
    const inFile = (content?.rows ?? []).map(({ labels, cells }) => [labels.endpoint, ...cells]);
    const rows = [...outcome.inMemory, ...inFile].map(([endpoint, ...cells]) => [endpoint, cells] as const);
    expect(new Map(rows)).toEqual(
      new Map(Array.from({ length: 1000 }, (__, i) => [`/${i}`, [0, 3, 0, 1.5]])),
    );
    expect(rows).toHaveLength(1000);
    expect(inFile.length).toBeGreaterThan(5);
    expect(outcome.inMemory.length).toBeGreaterThan(5);
    expect(outcome.errors).toBe(outcome.inMemory.length);
    expect(outcome.warnings).toHaveLength(1);
  });
});

interface Run {
  outcome: Outcome;
  content: LedgerContent | undefined;
}

function limited(mode: string, blocks: number): Run {
  // The trap ignores the signal of the limit, which would end the process: a full disk sends none.
  const command = `trap '' XFSZ; ulimit -f ${blocks}; exec "$0" "$@"`;
  return run('sh', '-c', command, process.execPath, fixture('full-storage.js'), folder, mode);
}

function onSmallTmpfs(mode: string): Run | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  try {
    return run(process.execPath, fixture('full-storage.js'), folder, mode);
  } finally {
    execFileSync('umount', [folder]);
  }
}

function run(program: string, ...args: string[]): Run {
  const printed: unknown = JSON.parse(execFileSync(program, args, { encoding: 'utf8' }));
  return { outcome: printed as Outcome, content: ledger() }; // what the fixture prints
}

/** Opens the requests in flight and fills all slots; prints whether there are any, and the files. */
const fillSlots = `
  const { RequestsInFlight } = require('./dist/metrics/ledger/requests-in-flight.js');
  const [, folder] = process.argv;
  const requests = RequestsInFlight.open(folder, 1);
  for (let i = 0; i < 128; i += 1) requests?.enter(performance.now(), '/', 'GET');
  console.log(requests !== undefined, require('node:fs').readdirSync(folder));
`;

test('a storage that has room for only a part of the requests in flight gets none, and nobody is killed', () => {
  const command = `trap '' XFSZ; ulimit -f 16; exec "$0" -e "$1" "$2"`;
  const printed = execFileSync('sh', ['-c', command, process.execPath, fillSlots, folder], {
    encoding: 'utf8',
  });
  expect(printed).toBe('false []\n');
});
