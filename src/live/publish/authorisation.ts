import { isLoopback } from '../../base/loopback.js';
import { Secret } from '../../base/secret.js';
import type { Applicant, PublishHook } from './hook.js';

/** Who may publish. */
export interface PublishRules {
  /** Secrets by streams. */
  readonly keys: Readonly<Record<string, string>>;
  readonly hook: string | undefined;
}

/**
 * Decides whether somebody may publish.
 * @returns why not; undefined for those who may
 */
export async function refusalOf(
  applicant: Applicant,
  rules: PublishRules,
  hook: PublishHook,
): Promise<string | undefined> {
  if (rules.hook !== undefined) return hook.ask(rules.hook, applicant);
  if (Object.keys(rules.keys).length > 0) {
    const expected = Object.hasOwn(rules.keys, applicant.stream) ? rules.keys[applicant.stream] : undefined;
    // The same words for a stream without a key: whoever tries names learns nothing.
    if (expected !== undefined && new Secret(expected).is(applicant.query.get('key') ?? '')) return undefined;
    return 'expected the key of the stream as ?key=... behind its name (live.publish.keys)';
  }
  if (isLoopback(applicant.address)) return undefined;
  return 'expected live.publish.keys or live.publish.hook: without them only programs on the same machine may publish';
}
