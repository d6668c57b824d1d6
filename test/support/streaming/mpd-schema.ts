import assert from 'node:assert/strict';

/*
 * What ISO/IEC 23009-1 says of the elements that our MPDs have, and nothing else: their attributes with types, those
 * that must be there, and their children in order with how many of each there may be. Elements or attributes that
 * are not named here fail, so that whoever writes new ones says what the standard has of them.
 */

interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: Element[];
  text: string;
}

interface Rule {
  /** `!` behind a type: it must be there. */
  readonly attributes: Readonly<Record<string, string>>;
  /** In the order that the standard has them; `1` once, `?` at most once, `*` any number. */
  readonly children?: readonly (readonly [name: string, count: '1' | '?' | '*'])[];
  readonly text?: RegExp;
}

const WHOLE = /^(?:0|[1-9]\d*)$/;
/** Characters of a URI, in which each `%` is followed by two digits. */
const URI = /^(?:[\w.~:/?#[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$/;
const TYPES: Readonly<Record<string, RegExp>> = {
  duration: /^PT(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?$/,
  unsignedInt: WHOLE,
  unsignedLong: WHOLE,
  integer: /^-?\d+$/,
  language: /^[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*$/,
  frameRate: /^\d+(?:\/[1-9]\d*)?$/,
  contentType: /^(?:text|image|audio|video|application|font)$/,
  alignment: /^(?:true|false|\d+)$/,
  sap: /^[0-6]$/,
  range: /^\d+-\d+$/,
  id: /^[^\s\p{Z}]+$/u,
  codecs: /^[^\s",]+(?:,[^\s",]+)*$/,
  static: /^static$/,
  profiles: /^urn:mpeg:dash:profile:[\w:-]+$/,
  mpd: /^urn:mpeg:dash:schema:mpd:2011$/,
  uri: URI,
  template: URI,
  text: /^/,
};
const DESCRIPTOR: Rule = { attributes: { schemeIdUri: 'uri!', value: 'text' } };
const RULES: Readonly<Record<string, Rule>> = {
  MPD: {
    attributes: {
      ...{ xmlns: 'mpd!', profiles: 'profiles!', type: 'static!', mediaPresentationDuration: 'duration!' },
      ...{ minBufferTime: 'duration!', maxSegmentDuration: 'duration' },
    },
    children: [['Period', '1']],
  },
  Period: { attributes: { id: 'text', start: 'duration' }, children: [['AdaptationSet', '*']] },
  AdaptationSet: {
    attributes: {
      ...{ contentType: 'contentType', mimeType: 'text', codecs: 'codecs', lang: 'language', startWithSAP: 'sap' },
      ...{ segmentAlignment: 'alignment', subsegmentAlignment: 'alignment', subsegmentStartsWithSAP: 'sap' },
    },
    children: [
      ['AudioChannelConfiguration', '*'],
      ['EssentialProperty', '*'],
      ['Label', '*'],
      ['Role', '*'],
      ['Representation', '*'],
    ],
  },
  Representation: {
    attributes: {
      ...{ id: 'id!', bandwidth: 'unsignedInt!', codecs: 'codecs', width: 'unsignedInt', height: 'unsignedInt' },
      ...{ frameRate: 'frameRate', audioSamplingRate: 'unsignedInt' },
    },
    children: [
      ['AudioChannelConfiguration', '*'],
      ['BaseURL', '*'],
      ['SegmentBase', '?'],
      ['SegmentTemplate', '?'],
    ],
  },
  SegmentBase: { attributes: { indexRange: 'range!', timescale: 'unsignedInt' }, children: [['Initialization', '?']] },
  SegmentTemplate: {
    attributes: {
      ...{ timescale: 'unsignedInt', startNumber: 'unsignedInt', initialization: 'template!', media: 'template!' },
    },
    children: [['SegmentTimeline', '1']],
  },
  SegmentTimeline: { attributes: {}, children: [['S', '*']] },
  S: { attributes: { t: 'unsignedLong', d: 'unsignedLong!', r: 'integer' } },
  Initialization: { attributes: { range: 'range' } },
  BaseURL: { attributes: {}, text: URI },
  Label: { attributes: {}, text: /\S/ },
  Role: DESCRIPTOR,
  AudioChannelConfiguration: DESCRIPTOR,
  EssentialProperty: DESCRIPTOR,
};
const TOKEN = /<\?xml[^>]*\?>|<!--[\s\S]*?-->|<(\/?)([A-Za-z]+)((?:\s+[\w:]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
const ATTRIBUTE = /([\w:]+)="([^"]*)"/g;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Asserts that an MPD is as the standard has it. */
export function assertMpd(mpd: string): void {
  const root = parse(mpd);
  assert.equal(root.name, 'MPD');
  check(root, 'MPD');
  const ids = named(root, 'Representation').map(({ attributes }) => attributes.get('id'));
  assert.equal(new Set(ids).size, ids.length, 'ids of Representations are unique');
  for (const timeline of named(root, 'SegmentTimeline')) {
    assert.ok(timeline.children.length > 0, 'a timeline has segments');
    for (const { attributes } of timeline.children) {
      assert.ok(Number(attributes.get('d')) > 0 && Number(attributes.get('r') ?? 0) >= 0, 'segments last');
    }
  }
  for (const { attributes } of named(root, 'SegmentTemplate')) {
    assert.match(attributes.get('media')!.replaceAll('$$', ''), /^[^$]*\$Number\$[^$]*$/, 'one identifier');
    assert.match(attributes.get('initialization')!.replaceAll('$$', ''), /^[^$]*$/, 'no identifier');
  }
  for (const set of named(root, 'AdaptationSet'))
    for (const { attributes } of set.children.filter(({ name }) => name === 'Representation'))
      assert.ok(
        set.attributes.get('mimeType') === 'text/vtt' || (attributes.get('codecs') ?? set.attributes.get('codecs')),
        'codecs are told',
      );
}

function named(element: Element, name: string): Element[] {
  return element.children.flatMap(child => [...(child.name === name ? [child] : []), ...named(child, name)]);
}

function check({ name, attributes, children, text }: Element, path: string): void {
  const rule = RULES[name];
  assert.ok(rule, `${path}: no such element`);
  for (const [attribute, value] of attributes) {
    const type = rule.attributes[attribute];
    assert.ok(type, `${path}: no attribute ${attribute}`);
    assert.match(value, TYPES[type.replace('!', '')]!, `${path}/@${attribute}`);
    if (type.startsWith('unsignedInt')) assert.ok(Number(value) < 2 ** 32, `${path}/@${attribute}`);
    if (type.startsWith('unsignedLong')) assert.ok(Number(value) <= Number.MAX_SAFE_INTEGER, `${path}/@${attribute}`);
  }
  for (const [attribute, type] of Object.entries(rule.attributes))
    if (type.endsWith('!')) assert.ok(attributes.has(attribute), `${path} lacks ${attribute}`);
  assert.match(text.trim(), rule.text ?? /^$/, `text of ${path}`);
  const order = (rule.children ?? []).map(([child]) => child);
  const places = children.map(child => order.indexOf(child.name));
  assert.ok(!places.includes(-1), `${path} has ${children.map(child => child.name)}, expected ${order}`);
  assert.deepEqual(
    places,
    [...places].sort((a, b) => a - b),
    `the order of the children of ${path}`,
  );
  for (const [child, count] of rule.children ?? []) {
    const found = children.filter(each => each.name === child).length;
    assert.ok(count === '*' || found === 1 || (count === '?' && found === 0), `${path} has ${found} × ${child}`);
  }
  for (const child of children) check(child, `${path}/${child.name}`);
}

/** Reads what an MPD may be of XML: elements, attributes in double quotes, text, comments before the root. */
function parse(text: string): Element {
  const root: Element = { name: '', attributes: new Map(), children: [], text: '' };
  const open = [root];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(text);
    assert.ok(token, `no XML at ${JSON.stringify(text.slice(at, at + 80))}`);
    const [whole, closing, name, attributes = '', empty, characters] = token;
    const top = open.at(-1)!;
    if (characters !== undefined) top.text += textOf(characters);
    else if (whole.startsWith('<!--')) assert.ok(!whole.slice(4, -3).includes('--'), 'a comment without --');
    else if (closing === '/') {
      assert.equal(name, top.name, 'elements are closed in order');
      open.pop();
    } else if (name !== undefined) {
      const found = [...attributes.matchAll(ATTRIBUTE)].map(([, key, value]) => [key!, textOf(value!)] as const);
      assert.equal(new Set(found.map(([key]) => key)).size, found.length, 'no attribute twice');
      const element: Element = { name, attributes: new Map(found), children: [], text: '' };
      top.children.push(element);
      if (empty !== '/') open.push(element);
    }
  }
  assert.equal(open.length, 1, 'all elements are closed');
  assert.equal(root.text.trim(), '');
  assert.equal(root.children.length, 1, 'one root');
  return root.children[0]!;
}

function textOf(text: string): string {
  assert.doesNotMatch(text, /&(?!(?:amp|lt|gt|quot|apos);)/, 'entities of XML alone');
  return text.replace(/&(\w+);/g, (_, entity: string) => ENTITIES[entity]!);
}
