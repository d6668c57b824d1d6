import { choice, text } from './kind.js';
import { type Draft, group, item, list, setting, type Values, type Wrong } from './setting.js';

const parameter = () => text('the name of a query parameter', /^[\w.~-]{1,100}$/);
const pageHost = () =>
  text(
    'a host name, *. and a domain, or none, in lower case',
    /^(?:none|(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)$/,
  );

/** Who is let in where: the first rule whose host and path fit decides. */
export const accessSchema = list(
  item({
    host: setting(
      text(
        'a host name, or *. and a domain, in lower case and without a port',
        /^(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$|^\[[0-9a-f:]+\]$/,
      ),
      'Host that the rule is for, or *.domain; left out: any.',
    ).optional(),
    path: setting(
      text('a path without escapes, such as /paid/', /^\/[^\0\r\n?#]{0,1000}$/),
      'Beginning of the paths that the rule is for.',
    ).prefault('/'),
    signed: item({
      scheme: setting(
        choice('secure_link_md5', 'hmac_sha256'),
        'How the template becomes a signature: by MD5 as nginx’s secure_link_md5 does it, or by HMAC-SHA-256 with the secret.',
      ),
      template: setting(
        text('a text with {path} or {prefix} in it'),
        'What is signed; {expires}, {path}, {prefix}, {ip} and {secret} stand for themselves.',
      ),
      signature: setting(parameter(), 'Query parameter with the signature, in base64url.'),
      expires: setting(
        parameter(),
        'Query parameter with the last second, since 1970, that the URL is good for; left out: for ever.',
      ).optional(),
      prefix: setting(
        parameter(),
        'Query parameter with a beginning of the path, so that one signature is good for all that lies below it.',
      ).optional(),
      secret: setting(text('a secret of 1 to 4096 characters'), 'What whoever signs knows, too.', { secret: true }),
    }).optional(),
    referers: group({
      allow: list(
        setting(pageHost(), 'Hosts of pages that may link there; none is a request that tells no page; empty: all.'),
        { max: 1000 },
      ),
      block: list(setting(pageHost(), 'Hosts of pages that may not.'), { max: 1000 }),
    }),
  }),
  { max: 1000 },
);

/** Rules between the settings of each rule. */
export function checkAccess(rules: Draft<Values<typeof accessSchema>>, wrong: Wrong): void {
  (rules ?? []).forEach((rule, i) => {
    const { scheme, template, signature, expires, prefix } = rule?.signed ?? {};
    if (template === undefined) return;
    const say = (name: string, expected: string) => wrong(['access', i, 'signed', name], expected);
    const has = (name: string) => template.includes(`{${name}}`);
    if (!has('path') && !has('prefix'))
      say('template', 'expected {path} or {prefix} in it: else one signature is good for all');
    if (expires !== undefined && !has('expires'))
      say('template', 'expected {expires} in it: else anybody can put it off');
    if (expires === undefined && has('expires'))
      say('expires', 'expected the query parameter that {expires} of the template is');
    if (prefix !== undefined && !has('prefix')) say('template', 'expected {prefix} in it: else anybody can choose it');
    if (prefix === undefined && has('prefix'))
      say('prefix', 'expected the query parameter that {prefix} of the template is');
    if (scheme === 'secure_link_md5' && !has('secret'))
      say('template', 'expected {secret} in it: else anybody can sign');
    const names = [signature, expires, prefix].filter(name => name !== undefined);
    if (new Set(names).size < names.length)
      say('signature', 'expected other names for signature, expires and prefix each');
  });
}
