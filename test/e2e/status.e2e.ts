import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type Page, chromium } from 'playwright-core';
import { freePort, Service } from '../support/service';
import { request } from '../support/exchange';
import { Load } from '../support/load-client';
import { Pm2 } from './pm2';

jest.setTimeout(120_000);

let browser: Browser;
let service: Service | undefined;
let context: BrowserContext | undefined;

beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
  });
});
afterEach(async () => {
  await context?.close();
  await service?.dispose();
});
afterAll(() => browser.close());

/** A page of a browser, and all that went wrong on it or left for another host. */
async function open(
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<{ page: Page; troubles: string[] }> {
  context = await browser.newContext(options);
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on('request', (sent) => {
    if (!/^(http:\/\/127\.0\.0\.1:|data:)/.test(sent.url())) troubles.push(sent.url());
  });
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text());
  });
  page.on('pageerror', (error) => troubles.push(String(error)));
  return { page, troubles };
}

async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env['SCREENSHOTS'];
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}

/** The cells of a table's rows. */
const rowsOf = (page: Page, id: string): Promise<string[][]> =>
  page
    .locator(`#${id} tbody tr`)
    .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent ?? '')));

test('the page shows traffic, latency, workers and objectives, live', async () => {
  service = await Service.start();
  await service.allReady(2);
  const load = new Load({ port: service.port, rate: 50, connections: 4, path: '/hello/Ada' });
  const { page, troubles } = await open({ viewport: { width: 1_100, height: 900 } });
  await page.goto(`http://127.0.0.1:${service.port}/status`);
  await page.getByText('Live').waitFor();
  await page.getByText(/^last \d+ s/).waitFor({ timeout: 30_000 });
  await page.locator('#traffic canvas').waitFor();
  const endpoint = page.locator('#endpoints tbody tr', { hasText: 'GET /hello/{name}' });
  await endpoint.waitFor();
  const [, rate = '', failed, p50 = ''] =
    (await rowsOf(page, 'endpoints')).find(([name]) => name === 'GET /hello/{name}') ?? [];
  expect(Number(rate)).toBeGreaterThan(10);
  expect(failed).toBe('0 %');
  expect(p50).toMatch(/ms$/);
  const workers = await rowsOf(page, 'workers');
  expect(workers.map(([, pid]) => Number(pid)).toSorted((a, b) => a - b)).toEqual(
    service.workers().toSorted((a, b) => a - b),
  );
  expect((await rowsOf(page, 'objectives'))[0]?.[3]).toBe('0 %');
  await shoot(page, 'wide-light');
  await load.stop();
  expect(troubles).toEqual([]);
});

test('it fits a phone, is dark where that is wanted, and works with the keyboard', async () => {
  service = await Service.start();
  const { page, troubles } = await open({ viewport: { width: 400, height: 800 }, colorScheme: 'dark' });
  await page.goto(`http://127.0.0.1:${service.port}/status`);
  await page.getByText('Live').waitFor();
  await page.locator('#workers tbody tr').first().waitFor();
  const wider = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
  expect(wider).toBeLessThanOrEqual(0);
  const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
  expect(background).toBe('rgb(13, 17, 23)');
  await page.keyboard.press('Tab');
  expect(await page.evaluate('document.activeElement.getAttribute("aria-labelledby")')).toBe(
    'endpoints-heading',
  );
  for (const name of ['Now', 'Traffic', 'Latency', 'Workers'])
    await page.getByRole('heading', { name, exact: true }).waitFor();
  await page.getByRole('img', { name: /requests and failures/i }).waitFor();
  await shoot(page, 'narrow-dark');
  expect(troubles).toEqual([]);
});

test('it says when the service has gone', async () => {
  service = await Service.start();
  const { page } = await open();
  await page.goto(`http://127.0.0.1:${service.port}/status`);
  await page.getByText('Live').waitFor();
  await service.stop();
  await page.getByText(/^No answer since/).waitFor({ timeout: 30_000 });
});

test('with a token a browser asks for it, and any user name does; without it nobody looks', async () => {
  service = await Service.start({ env: { METRICS_TOKEN: 'sesame' } });
  const url = `http://127.0.0.1:${service.port}/status`;
  for (const path of ['/status', '/status/status.js', '/status/workers.json', '/status/metrics.txt']) {
    const { status, headers } = await service.get(path);
    expect({ path, status }).toEqual({ path, status: 401 });
    expect(headers.get('www-authenticate')).toMatch(/^Basic realm="status"/);
  }
  const { page } = await open({ httpCredentials: { username: 'whoever', password: 'sesame' } });
  await page.goto(url);
  await page.getByText('Live').waitFor();
});

test('where METRICS_PORT is set it is there, and not on the port of the API', async () => {
  const metricsPort = await freePort();
  service = await Service.start({ env: { METRICS_PORT: String(metricsPort) } });
  expect((await service.get('/status')).status).toBe(404);
  const { page, troubles } = await open();
  await page.goto(`http://127.0.0.1:${metricsPort}/status`);
  await page.getByText('Live').waitFor();
  await page.locator('#workers tbody tr').first().waitFor();
  expect(troubles).toEqual([]);
});

test('STATUS_PAGE=off removes it, and its policy allows nothing that is not a file of its own', async () => {
  service = await Service.start({ env: { STATUS_PAGE: 'off' } });
  expect((await service.get('/status')).status).toBe(404);
  await service.dispose();
  service = await Service.start();
  const policy = (await request(service.port, '/status')).headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain('unsafe');
});

test("in PM2's cluster mode it shows the instances", async () => {
  const pm2 = await Pm2.start('ecosystem.cluster.config.js', { WEB_CONCURRENCY: '2' });
  try {
    const load = new Load({ port: pm2.port, rate: 50, connections: 4, path: '/hello/Ada' });
    const { page, troubles } = await open({ viewport: { width: 1_100, height: 900 } });
    await page.goto(`http://127.0.0.1:${pm2.port}/status`);
    await page.getByText('Live').waitFor();
    await page.getByText(/^last \d+ s/).waitFor({ timeout: 30_000 });
    await page.locator('#endpoints tbody tr', { hasText: 'GET /hello/{name}' }).waitFor();
    const workers = await rowsOf(page, 'workers');
    const pids = (await pm2.processes()).map(({ pid }) => String(pid));
    expect(workers.map(([worker, pid, state]) => [worker, pid, state])).toEqual([
      ['1', pids[0], 'ready'],
      ['2', pids[1], 'ready'],
    ]);
    expect(workers.reduce((sum, [, , , , perSecond]) => sum + Number(perSecond), 0)).toBeGreaterThan(10);
    await shoot(page, 'instances-of-pm2');
    await load.stop();
    expect(troubles).toEqual([]);
  } finally {
    await pm2.dispose();
  }
});

test('an app without a description has the page, too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'status-test-'));
  writeFileSync(join(folder, 'app.js'), 'module.exports = (req, res) => res.end("here");');
  service = await Service.start({
    program: join(process.cwd(), 'dist/cli/main.js'),
    args: ['start', 'app.js'],
    cwd: folder,
  });
  await service.allReady(2);
  const load = new Load({ port: service.port, rate: 50, connections: 4, path: '/' });
  const { page, troubles } = await open({ viewport: { width: 1_100, height: 900 } });
  await page.goto(`http://127.0.0.1:${service.port}/status`);
  await page.getByText('Live').waitFor();
  await page.getByText('unmatched').first().waitFor({ timeout: 30_000 });
  await load.stop();
  await shoot(page, 'status-of-an-app');
  expect((await rowsOf(page, 'workers')).length).toBe(2);
  expect(troubles).toEqual([]);
  rmSync(folder, { recursive: true });
});
