// What the console shows while there is no answer, a wrong one, or nobody who looks.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { admin, answerTo, filled, launch, newPage } from './page.mjs';

const api = '**/api/v1/**';
let browser;

before(async () => { browser = await launch(); });
after(() => browser.close());

function onPage(name, run) {
  test(name, async () => {
    const tab = await newPage(browser);
    try {
      await run(tab);
    } finally {
      await tab.close();
    }
  });
}

const inState = (page, state) => page.locator(`body[data-state="${state}"]`).waitFor();
const noViolation = async (page) => {
  const { violations } = await page.evaluate(() => window.axe.run(document, { preload: false }));
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes[0].html]), []);
};

onPage('loading: each part says so', async ({ page, open }) => {
  let release;
  const gate = new Promise((resolve) => { release = resolve; });
  await page.route(api, async (route) => {
    await gate;
    await route.continue();
  });
  await open();
  await inState(page, 'loading');
  await page.getByText('Asking imapmeter').waitFor();
  const sources = await page.locator('[data-source]').count();
  assert.equal(await page.locator('.placeholder:visible').count(), sources);
  await noViolation(page);
  release();
  await filled(page);
});

onPage('disconnected: the last data stay, with a word since when', async ({ page, open }) => {
  await open();
  await filled(page);
  const verdict = await page.locator('#verdict-sentence').textContent();
  await page.route(api, (route) => route.abort());
  await inState(page, 'disconnected');
  await page.getByText(/^No answer since \d\d:\d\d:\d\d; trying again\./).waitFor();
  assert.equal(await page.locator('#verdict-sentence').textContent(), verdict);
  assert.equal(await page.locator('.placeholder:visible').count(), 0);
  await noViolation(page);
  await page.unroute(api);
  await filled(page);
  await page.locator('#banner').waitFor({ state: 'hidden' });
});

onPage('never connected: it says where it asks', async ({ page, open }) => {
  await page.route(api, (route) => route.abort());
  await open();
  await inState(page, 'disconnected');
  await page.getByText(`imapmeter does not answer at ${new URL(admin).origin}; trying again.`).waitFor();
});

onPage('an error of the API is shown as one, and gone when it is gone', async ({ page, open }) => {
  await open();
  await filled(page);
  await page.route('**/api/v1/status', (route) => route.fulfill({ status: 500, body: 'no' }));
  await inState(page, 'error');
  await page.getByText('imapmeter answered 500 to /api/v1/status; trying again.').waitFor();
  await noViolation(page);
  await page.unroute('**/api/v1/status');
  await page.route('**/api/v1/verdict', (route) => route.fulfill({ body: '{"state":' }));
  await page.getByText('imapmeter’s answer to /api/v1/verdict cannot be read; trying again.').waitFor();
  await page.unroute('**/api/v1/verdict');
  await inState(page, 'connected');
});

onPage('nothing is asked for while nobody looks', async ({ page, requests, open }) => {
  await page.addInitScript(() => {
    window.away = false;
    Object.defineProperty(document, 'hidden', { get: () => window.away });
  });
  await page.clock.install();
  await open();
  await filled(page);
  await page.evaluate(() => { window.away = true; });
  const earlier = requests.length;
  await page.clock.runFor(120000);
  assert.equal(requests.length, earlier);
  const asked = answerTo(page, 'status');
  await page.evaluate(() => {
    window.away = false;
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await asked;
});
