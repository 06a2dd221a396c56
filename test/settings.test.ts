import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, NEEDS_RESTART } from '../src/config';
import { readSettings, readSettingsAgain } from '../src/settings';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'settings-test-'));
  file = join(folder, '.env');
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (text: string) => writeFileSync(file, text);

function problems(env: Record<string, string>): readonly string[] {
  try {
    readSettings(env);
    return [];
  } catch (err) {
    if (err instanceof ConfigError) return err.problems;
    throw err;
  }
}

test('without ENV_FILE the environment is all there is', () => {
  expect(readSettings({ PORT: '81' })).toMatchObject({ config: { port: 81 }, variables: {} });
});

test('the file adds what the environment does not set, for handlers too', () => {
  write('PORT=82\nLOG_LEVEL="warn" # as Node reads it\nDATABASE_URL=postgres://x\n');
  const { config, variables } = readSettings({ ENV_FILE: file, PORT: '81', LOG_LEVEL: '' });
  expect(config).toMatchObject({ port: 81, logLevel: 'warn' });
  expect(variables).toEqual({ LOG_LEVEL: 'warn', DATABASE_URL: 'postgres://x' });
});

test('a bad value in it, or a file that is not there, is named', () => {
  write('PORT=many');
  expect(problems({ ENV_FILE: file })).toEqual(['PORT: expected a whole number from 0 to 65535, got "many"']);
  expect(problems({ ENV_FILE: '/nowhere/.env' })).toEqual([
    'ENV_FILE: expected a file that can be read, got "/nowhere/.env" (ENOENT)',
  ]);
});

test('a file that a Windows editor has written is read, or refused by name', () => {
  write('\uFEFFPORT=82\r\nLOG_LEVEL=warn\r\n');
  expect(readSettings({ ENV_FILE: file }).variables).toEqual({ PORT: '82', LOG_LEVEL: 'warn' });
  writeFileSync(file, Buffer.from('PORT=82', 'utf16le'));
  expect(problems({ ENV_FILE: file })).toEqual([
    `ENV_FILE: expected text in UTF-8, got "${file}" (it has NUL bytes)`,
  ]);
});

describe('read again', () => {
  test('limits and the like change, what is no more in the file has its default again', () => {
    write('BODY_LIMIT=1mb\nLOG_LEVEL=warn\n');
    const before = readSettings({ ENV_FILE: file });
    write('BODY_LIMIT=2mb\nWEB_CONCURRENCY=3\n');
    const { settings, ignored } = readSettingsAgain({ ENV_FILE: file }, before);
    expect(settings.config).toMatchObject({ bodyLimit: 2 * 2 ** 20, concurrency: 3, logLevel: 'info' });
    expect(ignored).toEqual([]);
  });

  test('what needs a restart is named, and left as it was', () => {
    write('PORT=81\nMETRICS_PREFIX=a_\n');
    const before = readSettings({ ENV_FILE: file });
    write('PORT=82\nHOST=127.0.0.1\nBODY_LIMIT=2mb\n');
    const { settings, ignored } = readSettingsAgain({ ENV_FILE: file }, before);
    expect(ignored).toEqual(['PORT', 'HOST', 'METRICS_PREFIX']);
    expect(settings.config).toMatchObject({
      port: 81,
      host: undefined,
      metricsPrefix: 'a_',
      bodyLimit: 2 * 2 ** 20,
    });
    expect(settings.variables).toEqual({ PORT: '81', METRICS_PREFIX: 'a_', BODY_LIMIT: '2mb' });
  });

  test('how counts are kept and shown needs one, too, and the docs list what does', () => {
    write('');
    const before = readSettings({ ENV_FILE: file });
    write('METRICS_KEEP=off\nSERVICE_NAME=other\nMETRICS_ZEROS=off\n');
    const { settings, ignored } = readSettingsAgain({ ENV_FILE: file }, before);
    expect(new Set(ignored)).toEqual(new Set(['METRICS_KEEP', 'SERVICE_NAME', 'METRICS_ZEROS']));
    expect(settings.config).toEqual(before.config);
    const docs = readFileSync(join(__dirname, '../docs/operating.md'), 'utf8');
    const [, list = ''] = /^- (`PORT`[^.]*?)need a restart\./ms.exec(docs) ?? [];
    expect([...list.matchAll(/`(\w+)`/g)].map(([, name]) => name)).toEqual(NEEDS_RESTART);
  });

  test('TLS is neither switched on nor off', () => {
    write('');
    const before = readSettings({ ENV_FILE: file });
    write('TLS_CERT=/a\nTLS_KEY=/b\nTLS_CLIENT_CA=/c\nBODY_LIMIT=2mb\n');
    const { settings, ignored } = readSettingsAgain({ ENV_FILE: file }, before);
    expect(ignored).toEqual(['TLS_CERT', 'TLS_KEY', 'TLS_CLIENT_CA']);
    expect(settings.variables).toEqual({ BODY_LIMIT: '2mb' });
  });

  test('a bad value is refused, also of what would be left as it was', () => {
    write('PORT=81\n');
    const before = readSettings({ ENV_FILE: file });
    write('PORT=x\n');
    expect(() => readSettingsAgain({ ENV_FILE: file }, before)).toThrow('PORT: expected');
  });
});
