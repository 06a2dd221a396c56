import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually';
import { total } from '../support/exposition';
import { memoryBase } from '../support/memory-base';
import { disposeAll, freePort, Service } from '../support/service';

jest.setTimeout(120_000);
afterEach(disposeAll);

/** A command that gives a program mounts of its own, so that it can be shown another boot. */
const [unshare, ...ownMounts] = ['unshare', '--map-root-user', '--mount'] as const;
const canMount = spawnSync(unshare, [...ownMounts, 'true']).status === 0;

(canMount ? describe : describe.skip)('with mounts of its own', () => {
  test('a service begins its counts anew after a reboot, and keeps them until the next one', async () => {
    const ledgerDir = mkdtempSync(join(memoryBase, 'reboot-test-'));
    const env = { LEDGER_DIR: ledgerDir, PORT: String(await freePort()), SHUTDOWN_DELAY_MS: '0' };
    const bootId = join(ledgerDir, 'boot-id');
    const script = `mount --bind ${bootId} /proc/sys/kernel/random/boot_id && exec "$0" "$@"`;
    const command = [unshare, ...ownMounts, 'sh', '-c', script, process.execPath];
    for (const { boot, before } of [
      { boot: 'one', before: 0 },
      { boot: 'one', before: 10 },
      { boot: 'two', before: 0 },
      { boot: 'two', before: 10 },
    ]) {
      writeFileSync(bootId, `${boot}\n`);
      const service = await Service.start({ env, command });
      await eventually('the service is ready', 30_000, () => service.stdout.includes('Ready on'));
      const counted = async () =>
        total(await service.scrape(), 'flask_app_request_count', { endpoint: '/hello/{name}' });
      expect(await counted()).toBe(before);
      for (let i = 0; i < 10; i += 1) await service.get('/hello/you');
      expect(await counted()).toBe(before + 10);
      await service.stop();
    }
    rmSync(ledgerDir, { recursive: true });
  });
});
