// A page of the console in headless Chromium, with what it asked for and complained about.
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

// Where imapmeter answers.
export const admin = (process.env.IMAPMETER_ADMIN ?? '').replace(/\/$/, '');

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

export const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

export async function newPage(browser, options = {}, address = admin) {
  if (!address.startsWith('http://')) throw new Error('IMAPMETER_ADMIN is not an address');
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
  await context.addInitScript({ path: axe }); // the page's policy would not let it in any other way
  const page = await context.newPage();
  const complaints = [];
  const requests = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => requests.push(request.url()));
  page.setDefaultTimeout(20000);
  return { page, complaints, requests, open: () => page.goto(`${address}/`), close: () => context.close() };
}

// Until every part of the page shows something.
export async function filled(page) {
  await page.waitForFunction(() => {
    const waiting = document.querySelectorAll('[data-source]:not([data-ready])');
    return document.body.dataset.state === 'connected' && waiting.length === 0;
  });
}

export const answerTo = (page, name) => page.waitForResponse((response) => response.url().endsWith(`/api/v1/${name}`));
