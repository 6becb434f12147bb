// node screenshots.mjs URL FOLDER WIDTH light|dark [NAME]
// NAME.png is the first screen, NAME-full.png the whole page.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { filled, launch, newPage, phone } from './page.mjs';

const [url, folder, width, colorScheme, name = `console-${width}-${colorScheme}`] = process.argv.slice(2);
if (!colorScheme) {
  console.error('usage: node screenshots.mjs URL FOLDER WIDTH light|dark [NAME]');
  process.exit(2);
}

const size = { width: Number(width), height: Number(width) < 600 ? phone.viewport.height : 900 };
const device = size.width < 600 ? phone : {};
mkdirSync(folder, { recursive: true });
const browser = await launch();
try {
  const look = { ...device, viewport: size, colorScheme };
  const { page, open } = await newPage(browser, look, url.replace(/\/$/, ''));
  await open();
  await filled(page);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.screenshot({ path: join(folder, `${name}-full.png`), fullPage: true });
} finally {
  await browser.close();
}
