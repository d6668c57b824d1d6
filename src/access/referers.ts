import { matchesHost } from '../base/host-pattern.js';

/** Whose pages may link to what a rule is for: host names, `*.domain`, and `none` for requests that tell no page. */
export interface RefererSettings {
  /** Those and no others; all when empty. */
  readonly allow: readonly string[];
  /** Not those. */
  readonly block: readonly string[];
}

/** Whether a page may link to something, by the Referer field (RFC 9110 section 10.1.3), which anybody can forge. */
export class Referers {
  readonly #settings: RefererSettings;

  constructor(settings: RefererSettings) {
    this.#settings = settings;
  }

  /** Why a request is not let in; undefined when it is. */
  refusal(referer: string): string | undefined {
    const { allow, block } = this.#settings;
    const host = hostOf(referer);
    const isOne = (pattern: string) => (pattern === 'none' ? host === '' : host !== '' && matchesHost(pattern, host));
    if (block.some(isOne)) return 'the page that links to it is blocked';
    return allow.length === 0 || allow.some(isOne) ? undefined : 'the page that links to it is not one that may';
  }
}

/** The host of a page's URL, in lower case; '' when the field tells none. */
function hostOf(referer: string): string {
  if (!/^https?:\/\//i.test(referer)) return '';
  return URL.canParse(referer) ? new URL(referer).hostname : '';
}
