import { formatHttpDate } from '../base/http-date.js';
import { isOfContent, keptFields, sentFields } from '../catalog/rfc9111/kept-fields.js';
import type { StoredObject } from '../catalog/stored-object.js';
import { source } from '../virtual-file/span.js';
import type { VirtualFile } from '../virtual-file/virtual-file.js';
import { type Field, FieldBlock } from './field-block.js';

/** A virtual file with the fields that describe it, those of its object among them. */
export interface Representation {
  readonly file: VirtualFile;
  /** Those of them that come with the file, in place of its object's. */
  readonly own: readonly Field[];
  readonly fields: FieldBlock;
  /** Fields of an answer with all of it, where that has others. */
  readonly whole?: FieldBlock;
  /** Fields of a 304, where they are not made from the others. */
  readonly unmodified?: FieldBlock;
}

/** The representation of a file that was made from an object, whose fields it bears. */
interface MadeRepresentation extends Representation {
  readonly object: StoredObject;
}

/**
 * Fields that are the edge's own, or that belong to one connection: what an object has stored under these names is not
 * sent.
 */
const OWN = new Set([
  'accept-ranges',
  'age',
  'connection',
  'content-digest',
  'content-length',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'etag',
  'keep-alive',
  'last-modified',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-seek-actual',
]);

/** Fields that are true of the stored object only, not of a file made from it. */
const OF_OBJECT = new Set(['digest', 'repr-digest']);

/** Fields that a 304 bears (RFC 9110 section 15.4.5), besides those of CORS and the caches'. */
const OF_NOT_MODIFIED = new Set([
  'cache-control',
  'cdn-cache-control',
  'content-location',
  'expires',
  'surrogate-control',
  'vary',
]);

/** Fields of an answer without an object that are passed on with it though an object has them from elsewhere. */
const OF_PASSED = ['Content-Type', 'ETag', 'Last-Modified'];

const NONE: readonly Field[] = [];

/** Fields of a view that come with it from another edge. */
const OF_VIEW = new Set(['x-seek-actual']);

/** Makes the fields of answers: once for as long as the object, or the file that is made from it, lives. */
export class Representations {
  readonly #common: readonly Field[];
  readonly #sends: (name: string) => boolean;
  readonly #plain = new WeakMap<StoredObject, Representation>();
  readonly #made = new WeakMap<VirtualFile, MadeRepresentation>();

  /**
   * @param common fields of every answer
   * @param cors whether the Access-Control fields are the edge's, so that those of objects are not sent
   * @param removed further fields of objects that are not, in lower case
   */
  constructor(common: readonly Field[], cors: boolean, removed: ReadonlySet<string> = new Set()) {
    this.#common = common;
    this.#sends = name => !OWN.has(name) && !(cors && name.startsWith('access-control-')) && !removed.has(name);
  }

  /** The object as it is. */
  plain(object: StoredObject): Representation {
    const known = this.#plain.get(object);
    if (known !== undefined) return known;
    const { size, etag, lastModified, contentType } = object;
    const spans = size > 0 ? [source(0, size)] : [];
    const file = { size, etag, lastModified, contentType, spans, seekActual: undefined };
    const part = this.#of(file, NONE, object.fields);
    const ofContent = object.fields.filter(([name]) => isOfContent(name.toLowerCase()));
    const made = ofContent.length === 0 ? part : { ...part, whole: this.#of(file, ofContent, object.fields).fields };
    this.#plain.set(object, made);
    return made;
  }

  /** What another edge answered with, whatever it made of which object. */
  relayed(object: StoredObject): Representation {
    const { file } = this.plain(object);
    return this.#of(
      file,
      object.fields.filter(([name]) => OF_VIEW.has(name.toLowerCase())),
      object.fields,
    );
  }

  /** The object as it is for another edge, which must know it by the origin's own validators. */
  raw(object: StoredObject): Representation {
    const { file } = this.plain(object);
    const { etag, lastModified } = object.validator;
    const validators: Field[] = [];
    if (etag !== undefined) validators.push(['ETag', etag]);
    if (lastModified !== undefined) validators.push(['Last-Modified', lastModified]);
    const described: Field[] = [...validators, ...object.fields.filter(([name]) => !OWN.has(name.toLowerCase()))];
    const fields = new FieldBlock([['Accept-Ranges', 'bytes'], ['Content-Type', file.contentType], ...described]);
    return { file, own: NONE, fields, unmodified: new FieldBlock(described) };
  }

  /**
   * A file made from the object.
   * @param own fields that come with the file; they stand in place of the object's of the same names
   */
  of(file: VirtualFile, own: readonly Field[], object: StoredObject): Representation {
    const known = this.#made.get(file);
    if (known?.object === object && known.own === own) return known;
    const stored = object.fields.filter(([name]) => !OF_OBJECT.has(name.toLowerCase()));
    const made = { ...this.#of(file, own, without(stored, own)), object };
    this.#made.set(file, made);
    return made;
  }

  #of(file: VirtualFile, own: readonly Field[], stored: readonly Field[]): Representation {
    const fields: Field[] = [
      ['Accept-Ranges', 'bytes'],
      ['ETag', file.etag],
      ['Content-Type', file.contentType],
      ...this.#common,
    ];
    const modified = file.lastModified === undefined ? undefined : formatHttpDate(file.lastModified);
    if (modified !== undefined) fields.push(['Last-Modified', modified]);
    return { file, own, fields: new FieldBlock([...fields, ...own, ...this.#stored(stored)]) };
  }

  /** Fields of a 304 (RFC 9110 section 15.4.5) for a file made from the object. */
  notModified({ file, own, unmodified }: Representation, object: StoredObject): FieldBlock {
    if (unmodified !== undefined) return unmodified;
    const described = [...own, ...this.#stored(without(object.fields, own))];
    const kept = described.filter(([name]) => OF_NOT_MODIFIED.has(name.toLowerCase()));
    return new FieldBlock([['ETag', file.etag], ...this.#common, ...kept]);
  }

  /** Fields of a body of unknown size. */
  stream(contentType: string, stored: readonly Field[]): FieldBlock {
    return new FieldBlock([
      ['Accept-Ranges', 'none'],
      ['Content-Type', contentType],
      ...this.#common,
      ...this.#stored(stored),
    ]);
  }

  /** Fields of an answer of the origin that brings no object. */
  passed(status: number, fields: Readonly<Record<string, string>>): FieldBlock {
    const named = status === 401 ? ['WWW-Authenticate', ...OF_PASSED] : OF_PASSED;
    return new FieldBlock([
      ...named.flatMap((name): Field[] => {
        const value = fields[name.toLowerCase()];
        return value === undefined ? [] : [[name, value]];
      }),
      ...this.#common,
      ...this.#stored(sentFields(keptFields(fields))),
    ]);
  }

  #stored(fields: readonly Field[]): readonly Field[] {
    return fields.filter(([name]) => this.#sends(name.toLowerCase()));
  }
}

/** The fields whose names no other one has. */
function without(fields: readonly Field[], others: readonly Field[]): readonly Field[] {
  if (others.length === 0) return fields;
  const names = new Set(others.map(([name]) => name.toLowerCase()));
  return fields.filter(([name]) => !names.has(name.toLowerCase()));
}
