import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, type Page, chromium } from 'playwright-core';
import { Service } from '../support/service';

let service: Service;
let browser: Browser;
let page: Page;
const requests: string[] = [];
const troubles: string[] = [];

beforeAll(async () => {
  service = await Service.start();
  browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });
  page = await browser.newPage();
  page.on('request', (request) => requests.push(request.url()));
  page.on('requestfailed', (request) => troubles.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on('response', (response) => {
    if (response.status() >= 400) troubles.push(`${response.url()}: ${response.status()}`);
  });
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text());
  });
  page.on('pageerror', (error) => troubles.push(String(error)));
});

afterAll(async () => {
  await browser?.close();
  await service?.dispose();
});

test('the page shows the API, tries it out, and talks to nobody else', async () => {
  await page.goto(`http://127.0.0.1:${service.port}/docs`);
  await page.getByRole('heading', { name: /^Greetings/ }).waitFor();
  const operation = page.locator('#operations-greetings-echo');
  await operation.locator('.opblock-summary-control').click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
  await operation.locator('textarea.body-param__text').fill('{"message":"typed by a browser"}');
  await operation.getByRole('button', { name: 'Execute' }).click();
  const answer = operation.locator('.live-responses-table .response').first();
  await answer.waitFor();
  expect(await answer.locator('.response-col_status').innerText()).toMatch(/^200/);
  expect(await answer.locator('.highlight-code').first().innerText()).toContain('typed by a browser');
  if (process.env['SCREENSHOT']) await page.screenshot({ path: process.env['SCREENSHOT'], fullPage: true });

  const own = `http://127.0.0.1:${service.port}/`;
  expect(requests).toContain(`${own}echo`);
  expect(requests.filter((url) => !url.startsWith(own) && !url.startsWith('data:'))).toEqual([]);
  expect(troubles).toEqual([]);
});

test('Try it out reaches a service behind a proxy that strips a prefix', async () => {
  const proxy = await strippingProxy('/svc', service.port);
  try {
    const visit = await browser.newPage();
    const asked: string[] = [];
    visit.on('request', (request) => asked.push(request.url()));
    const { port } = proxy.address() as AddressInfo; // it listens on TCP
    await visit.goto(`http://127.0.0.1:${port}/svc/docs`);
    const operation = visit.locator('#operations-greetings-echo');
    await operation.locator('.opblock-summary-control').click();
    await operation.getByRole('button', { name: 'Try it out' }).click();
    await operation.getByRole('button', { name: 'Execute' }).click();
    const status = operation.locator('.live-responses-table .response .response-col_status').first();
    await status.filter({ hasText: /^200/ }).waitFor();
    expect(asked).toContain(`http://127.0.0.1:${port}/svc/echo`);
    expect(asked.filter((url) => !url.startsWith(`http://127.0.0.1:${port}/svc/`))).toEqual([]);
  } finally {
    proxy.close();
    proxy.closeAllConnections();
  }
});

/** Starts a proxy that passes on what is below the prefix, without it, and has nothing else. */
async function strippingProxy(prefix: string, port: number): Promise<http.Server> {
  const proxy = http.createServer((req, res) => {
    const { url = '', method = 'GET', headers } = req;
    if (!url.startsWith(`${prefix}/`)) return res.writeHead(404).end();
    const forwarded = http.request(
      { port, host: '127.0.0.1', path: url.slice(prefix.length), method, headers },
      (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(res);
      },
    );
    return req.pipe(forwarded);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  return proxy;
}

test('Authorize sends the credentials that an operation requires', async () => {
  const secured = await Service.start({ env: { METRICS_TOKEN: 'sesame' } });
  try {
    const visit = await browser.newPage();
    await visit.goto(`http://127.0.0.1:${secured.port}/docs`);
    const operation = visit.locator('#operations-operations-metrics');
    await operation.locator('.opblock-summary-control').click();
    await operation.getByRole('button', { name: 'Try it out' }).click();
    const status = operation.locator('.live-responses-table .response .response-col_status').first();
    const execute = operation.getByRole('button', { name: 'Execute' });
    await execute.click();
    await status.filter({ hasText: /^401/ }).waitFor();

    await visit.locator('.auth-wrapper .authorize').first().click();
    const dialog = visit.locator('.dialog-ux');
    await dialog.locator('input').first().fill('sesame');
    await dialog.getByRole('button', { name: 'Apply credentials' }).click();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await execute.click();
    await status.filter({ hasText: /^200/ }).waitFor();
    expect(await status.innerText()).toMatch(/^200/);
  } finally {
    await secured.dispose();
  }
});
