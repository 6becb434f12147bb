// The console of a running imapmeter that has had traffic: at least two sessions are open, one has ended badly.
// IMAPMETER_ADMIN is its address (http://…), CHROMIUM the browser.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { scrape, valueOf } from './exposition.mjs';
import { admin, answerTo, filled, launch, newPage, phone } from './page.mjs';

let browser;

before(async () => { browser = await launch(); });
after(() => browser.close());

// A test with a page of its own that must not complain.
function onPage(name, options, run) {
  test(name, async () => {
    const tab = await newPage(browser, options);
    try {
      await run(tab);
      assert.deepEqual(tab.complaints, []);
    } finally {
      await tab.close();
    }
  });
}

async function eachListener(page, run) {
  const offered = await page.locator('#listener option').evaluateAll((all) => all.map((option) => option.value));
  for (const name of offered.filter((value) => value !== '')) {
    await page.selectOption('#listener', name);
    await run();
  }
  if (offered.length === 0) await run();
}

const shownTotals = (page) => page.locator('[data-metric]').evaluateAll((nodes) => nodes.map(({ dataset }) => {
  return { metric: dataset.metric, value: Number(dataset.value) };
}));

async function differences(page) {
  const series = await scrape(admin);
  const shown = await shownTotals(page);
  assert.ok(shown.length > 100, `only ${shown.length} totals are shown`);
  return shown.map((each) => ({ ...each, exposed: valueOf(series, each.metric) }))
    .filter(({ value, exposed }) => value !== exposed);
}

onPage('every part is filled and nothing foreign is asked for', {}, async ({ page, requests, open }) => {
  await open();
  await filled(page);
  const foreign = requests.filter((url) => !url.startsWith(`${admin}/`) && !url.startsWith('data:'));
  assert.deepEqual(foreign, []);
  assert.equal(await page.locator('.placeholder:visible').count(), 0);
});

onPage('every total is the one of /metrics', {}, async ({ page, open }) => {
  await open();
  await filled(page);
  await eachListener(page, async () => {
    const end = Date.now() + 60000;
    let different = await differences(page);
    while (different.length !== 0 && Date.now() < end) { // counters may move between the two looks
      await answerTo(page, 'status');
      different = await differences(page);
    }
    assert.deepEqual(different, []);
  });
});

onPage('every name that /metrics knows is on the page', {}, async ({ page, open }) => {
  const families = ['status_codes', 'session_outcomes', 'bye', 'opaque_sessions', 'anomalies', 'failures',
    'provider_signals', 'auth_failures'];
  await open();
  await filled(page);
  await eachListener(page, async () => {
    const listener = await page.locator('#listener').inputValue();
    const shown = (await shownTotals(page)).map(({ metric }) => metric);
    const exposed = (await scrape(admin)).filter(({ family, labels }) => {
      return families.includes(family.replace(/^imapmeter_|_total$/g, '')) &&
        (listener === '' || labels.listener === listener);
    });
    const missing = exposed.filter(({ family, labels }) => {
      const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
      return !shown.some((metric) => metric.startsWith(`${family}{`) && pairs.every((text) => metric.includes(text)));
    });
    assert.deepEqual(missing, []);
  });
});

onPage('every link of the navigation leads to its section', {}, async ({ page, open }) => {
  await open();
  await filled(page);
  const links = await page.locator('nav a').all();
  assert.ok(links.length >= 15);
  for (const link of links) {
    const id = (await link.getAttribute('href')).slice(1);
    await link.click();
    await page.waitForFunction((wanted) => {
      const { top, bottom } = document.getElementById(wanted).getBoundingClientRect();
      return location.hash === `#${wanted}` && top < innerHeight && bottom > 0;
    }, id);
  }
});

onPage('headings are in order, and the skip link is the first to take the focus', {}, async ({ page, open }) => {
  await open();
  await filled(page);
  const levels = await page.locator('h1, h2, h3').evaluateAll((all) => all.map(({ tagName }) => Number(tagName[1])));
  assert.equal(levels[0], 1);
  levels.forEach((level, index) => assert.ok(index === 0 || level <= levels[index - 1] + 1));
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
});

onPage('sessions are sorted by a click and filtered by a word', {}, async ({ page, open }) => {
  await open();
  await filled(page);
  const rows = page.locator('#sessions-table tbody tr');
  await rows.nth(1).waitFor();
  for (const title of ['Session', 'State', 'Commands']) {
    const head = page.locator('#sessions-table th', { hasText: new RegExp(`^${title}$`) });
    for (const click of [1, 2]) {
      const earlier = await head.getAttribute('aria-sort');
      await head.getByRole('button').click();
      const cell = await head.elementHandle();
      await page.waitForFunction(([node, old]) => node.getAttribute('aria-sort') !== old, [cell, earlier]);
      assert.match(await head.getAttribute('aria-sort'), /^(a|de)scending$/, `${title}, click ${click}`);
    }
  }
  const id = await rows.first().getAttribute('data-key');
  await page.fill('#filter', id);
  await page.waitForFunction((wanted) => {
    const left = [...document.querySelectorAll('#sessions-table tbody tr')];
    return left.length > 0 && left.every((row) => row.textContent.includes(wanted));
  }, id);
  await page.fill('#filter', 'no session says this');
  await page.getByText('No open session matches.').waitFor();
  await page.fill('#filter', '');
  await rows.nth(1).waitFor();
});

onPage('numbers are sorted as numbers', {}, async ({ page, open }) => {
  await open();
  await filled(page);
  const head = page.locator('#failures-table th', { hasText: 'Count' });
  const values = () => page.locator('#failures-table td.number')
    .evaluateAll((cells) => cells.map((cell) => Number(cell.dataset.value)));
  assert.equal(await head.getAttribute('aria-sort'), 'descending');
  assert.deepEqual(await values(), [...await values()].sort((a, b) => b - a));
  await head.getByRole('button').click();
  assert.equal(await head.getAttribute('aria-sort'), 'ascending');
  assert.deepEqual(await values(), [...await values()].sort((a, b) => a - b));
});

onPage('a skeleton opens, and neither it nor the focus is lost by updates', {}, async ({ page, open }) => {
  await open();
  await filled(page);
  await page.click('nav a[href="#skeletons"]');
  const first = page.locator('#skeletons-list details').first();
  const key = await first.getAttribute('data-key');
  await first.locator('summary').click();
  const opened = page.locator(`#skeletons-list details[data-key="${key}"]`);
  await opened.locator('pre').waitFor();
  assert.match(await opened.locator('pre').textContent(), /\+\d+\.\d{3} |No event\./);
  await opened.locator('summary').focus();
  await answerTo(page, 'skeletons');
  await answerTo(page, 'status');
  assert.equal(await opened.getAttribute('open'), '');
  assert.ok(await opened.locator('summary').evaluate((node) => node === document.activeElement));
});

const looks = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  'at 390 pixels': { ...phone, colorScheme: 'light' },
  'dark at 390 pixels': { ...phone, colorScheme: 'dark' },
};
for (const [look, options] of Object.entries(looks)) {
  onPage(`axe finds nothing, ${look}`, options, async ({ page, open }) => {
    await open();
    await filled(page);
    await page.locator('#skeletons-list summary').first().click();
    const { violations } = await page.evaluate(() => window.axe.run(document, { preload: false }));
    const found = violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => html).slice(0, 5) }));
    assert.deepEqual(found, []);
  });
}

onPage('nothing is wider than a phone', phone, async ({ page, open }) => {
  await open();
  await filled(page);
  const widths = await page.evaluate(() => {
    return [innerWidth, document.documentElement.scrollWidth, document.body.scrollWidth];
  });
  assert.deepEqual(widths, [390, 390, 390]);
  const canvases = await page.locator('canvas').evaluateAll((all) => all.map((canvas) => canvas.clientWidth));
  assert.ok(canvases.every((width) => width > 50 && width < 390), String(canvases));
});
