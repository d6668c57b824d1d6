import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { browserPath } from '../packages.mjs';

/** Milliseconds that anything in a page may take on a busy machine. */
export const PAGE_PATIENCE = 180_000;

/** The system's Chromium, quiet and able to play without a gesture. The caller closes it. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: browserPath(),
    timeout: PAGE_PATIENCE,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      '--autoplay-policy=no-user-gesture-required',
    ],
  });
}

/** A new page, which is waited for patiently. The caller closes it. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(PAGE_PATIENCE);
  return page;
}
