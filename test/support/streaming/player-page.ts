import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { openPage, PAGE_PATIENCE } from '../chromium.js';
import { type FolderServer, serveFolders } from '../serve-folder.js';

/** Players of others, and the element alone. */
export type PlayerName = 'native' | 'hls.js' | 'shaka' | 'dash.js';

/** What is seen and heard, in seconds of the film. */
export interface Measured {
  /** When pictures turn light. */
  readonly flashes: readonly number[];
  /** When beeps begin. */
  readonly beeps: readonly number[];
  /** Of the pictures shown last. */
  readonly height: number;
  readonly currentTime: number;
}

/** Serves the page of players, their packages, and a folder of media. */
export function servePlayers(media: string): Promise<FolderServer> {
  const lib = dirname(dirname(createRequire(import.meta.url).resolve('hls.js/package.json')));
  const page = fileURLToPath(new URL('../../browser/packaging/', import.meta.url));
  return serveFolders({ media, lib, page });
}

/** A page in which a player plays. */
export class PlayerPage {
  private constructor(
    private readonly page: Page,
    readonly console: string[],
  ) {}

  static async open(browser: Browser, server: string): Promise<PlayerPage> {
    const page = await openPage(browser);
    const lines: string[] = [];
    page.on('console', message => lines.push(message.text()));
    page.on('pageerror', error => lines.push(error.message));
    await page.goto(join(server, 'page/page.html').replace(':/', '://'));
    await page.waitForFunction('globalThis.measure !== undefined');
    return new PlayerPage(page, lines);
  }

  load(how: PlayerName, url: string): Promise<{ duration: number; width: number; height: number }> {
    return this.#call('load', how, url);
  }

  measure(count: number, second?: number): Promise<Measured> {
    return this.#call('measure', count, second);
  }

  switchTo(height: number): Promise<{ height: number; currentTime: number }> {
    return this.#call('switchTo', height);
  }

  readText(count: number): Promise<{ startTime: number; endTime: number; text: string }[]> {
    return this.#call('readText', count);
  }

  playToEnd(): Promise<{ currentTime: number; duration: number }> {
    return this.#call('playToEnd');
  }

  close(): Promise<void> {
    return this.page.close();
  }

  /** What tsx makes of a function can't run in a page, so it is text. Says more than `page.evaluate` when it fails. */
  async #call<T>(name: string, ...values: readonly unknown[]): Promise<T> {
    const list = values.map(value => JSON.stringify(value) ?? 'undefined').join(', ');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const told = this.page.evaluate('standing()').then(JSON.stringify);
        const message = `${name} has not ended in ${PAGE_PATIENCE} ms: `;
        told.then(standing => reject(new Error(message + standing)), reject);
      }, PAGE_PATIENCE);
    });
    try {
      return await Promise.race([this.page.evaluate<T>(`${name}(${list})`), late]);
    } catch (error) {
      throw new Error(`${name}(${list}): ${(error as Error).message}\n${this.console.slice(-10).join('\n')}`);
    } finally {
      clearTimeout(timer);
    }
  }
}
