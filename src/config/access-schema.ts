import { readKeyFile } from '../base/key-file.js';
import { covers } from '../base/places.js';
import { choice, fieldName, fileOrUrl, network, text, time, webUrl } from './kind.js';
import { type Draft, group, type Issue, item, list, setting, type Values, type Wrong } from './setting.js';

const parameter = () => text('the name of a query parameter', /^[\w.~-]{1,100}$/);
/** The name of a request field, in lower case. */
const requestField = () => {
  const kind = fieldName();
  return { ...kind, parse: (value: unknown) => kind.parse(value)?.toLowerCase() };
};
/** The host of a place. */
export const accessHost = () =>
  text(
    'a host name, or *. and a domain, in lower case and without a port',
    /^(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$|^\[[0-9a-f:]+\]$/,
  );
/** The beginning of the paths of a place. */
export const placePath = () => text('a path without escapes, such as /paid/', /^\/[^\0\r\n?#]{0,1000}$/);
const pageHost = () =>
  text(
    'a host name, *. and a domain, or none, in lower case',
    /^(?:none|(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)$/,
  );

/** Who is let in where: the first rule whose host and path fit decides. */
export const accessSchema = list(
  item({
    host: setting(accessHost(), 'Host that the rule is for, or *.domain; left out: any.').optional(),
    path: setting(placePath(), 'Beginning of the paths that the rule is for.').prefault('/'),
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
    addresses: group({
      allow: list(setting(network(), 'Addresses and networks of clients that are let in; empty: all.'), { max: 10000 }),
      deny: list(setting(network(), 'Addresses and networks of clients that are not, though they are allowed.'), {
        max: 10000,
      }),
    }),
    jwt: item({
      secret: setting(
        text('a secret of 32 to 4096 characters', /^[^\0\r\n]{32,4096}$/),
        'What tokens are signed with by HS256.',
        { secret: true },
      ).optional(),
      keys: setting(
        fileOrUrl('a file with a JWK set or a public key in PEM, or the URL of a JWK set'),
        'Public keys that tokens are signed with by RS256 or ES256: a file with a JWK set or a key in PEM, or the URL of a set.',
      ).optional(),
      keysTtl: setting(
        time('1s', '24h'),
        'How long keys of a URL are good before they are asked for again; those that were had stay while none can be had.',
      ).prefault('10m'),
      audience: setting(text('a text'), 'What the claim aud of a token must name; left out: anything.').optional(),
      issuer: setting(text('a text'), 'What the claim iss of a token must be; left out: anything.').optional(),
      prefix: setting(
        text('the name of a claim', /^[^\0\r\n]{1,100}$/),
        'Claim with a beginning of the path, or a list of them, that the token is good for; left out: all that the rule is for.',
      ).optional(),
      cookie: setting(
        text('the name of a cookie', /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/),
        'Cookie that holds the token, which else stands in Authorization.',
      ).optional(),
      parameter: setting(
        parameter(),
        'Query parameter that holds the token; playlists hand it on, and no origin sees it.',
      ).optional(),
    }).optional(),
    callback: item({
      url: setting(
        webUrl('an http(s) URL'),
        'Asked by GET, with X-Original-URI, X-Original-Method, X-Forwarded-Host and X-Forwarded-For: 2xx lets in, 4xx keeps out.',
      ),
      cache: setting(
        time('0', '24h'),
        'How long its answers are kept, unless their Cache-Control says less; 0 asks for each request.',
      ).prefault('30s'),
      timeout: setting(time('10ms', '1m'), 'How long an answer may take.').prefault('2s'),
      failure: setting(
        choice('closed', 'open'),
        'Whether nobody or everybody is let in while it fails: no answer in time, a redirect, 5xx.',
      ).prefault('closed'),
      forward: list(setting(requestField(), 'Fields of requests that it is sent; they tell its answers apart.'), {
        max: 32,
      }).prefault(['authorization', 'cookie']),
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

/** Rules between the settings of each rule, and between rules. */
export function checkAccess(rules: Draft<Values<typeof accessSchema>>, wrong: Wrong): void {
  const places = (rules ?? []).map(rule => ({ host: rule?.host, path: rule?.path ?? '' }));
  (rules ?? []).forEach((rule, i) => {
    const before = places.findIndex((place, at) => at < i && place.path !== '' && covers(place, places[i]!));
    if (before >= 0)
      wrong(['access', i, 'path'], `expected this rule before access[${before}], which decides on all of its place`);
    const { secret, keys, parameter } = rule?.jwt ?? {};
    if (rule?.jwt !== undefined && secret === undefined && keys === undefined)
      wrong(['access', i, 'jwt', 'keys'], 'expected keys or a secret');
    const ofSignature = [rule?.signed?.signature, rule?.signed?.expires, rule?.signed?.prefix];
    if (parameter !== undefined && ofSignature.includes(parameter))
      wrong(['access', i, 'jwt', 'parameter'], 'expected another name than those of signed');
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

/** Files of keys that can't be used. */
export function checkKeyFiles({ access }: { readonly access: Values<typeof accessSchema> }): Issue[] {
  return access.flatMap(({ jwt }, i) => {
    if (jwt?.keys === undefined || jwt.keys.includes('://')) return [];
    try {
      readKeyFile(jwt.keys);
      return [];
    } catch (error) {
      const hint = `${jwt.keys}: ${(error as Error).message}`;
      const expected = 'expected a file with a JWK set or a public key in PEM that can be read';
      return [{ path: ['access', i, 'jwt', 'keys'], expected, hint }];
    }
  });
}
