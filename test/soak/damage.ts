import { closeSync, fstatSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from './random.js';

/** Parts of the memory tier's file; see native/shm_layout.h. */
export type Part = 'data' | 'slots' | 'index' | 'stripes' | 'processes' | 'header';

/** Offsets in the file header of the geometry's fields, which are u64 but for the last. */
const GEOMETRY = {
  processes: 32,
  generations: 40,
  stripes: 48,
  buckets: 56,
  slots: 72,
  follows: 80,
  data: 104,
  blockSize: 112,
  slotCount: 116,
};
/** Without its magic bytes a file is another program's, which is refused and left alone. */
const HEADER_AFTER_MAGIC = 16;
const BLOCK = 256 * 1024;
const PROCESS_ENTRY = 704;
/** Offsets in a process's entry and in a slot's header. */
const HAZARDS = 64;
const PINS = 8;
const SLOT_HEADER = 64;
const SLOT_STATE = 28;
const SLOT_OWNER = 40;
/** State of a slot that holds a block. */
const USED = 0x75736564;

const PAGE = 4096;
/** LMDB: bytes of a page's header, where its flags are, and the flag of a page that begins a large value. */
const PAGE_HEADER = 24;
const PAGE_FLAGS = 18;
/** First word of the contents of the first page. */
const LMDB_MAGIC = 0xbeefc0de;
const OVERFLOW = 4;
const BRANCH_OR_LEAF = 3;
/** First bytes and length of a value of the disk tier; see src/cache/disk/disk-record.ts. */
const VALUE_MAGIC = 0x3142564d;
const VALUE = 48 + BLOCK;

/**
 * Flips `bits` bits in a part of the memory tier's file, which may be in use. Blocks that a process sends or fills at
 * this moment are spared: bits that flip between the verification of a byte and its way into the socket can be noticed
 * by nobody.
 * @returns the number flipped
 */
export function flipMemory(file: string, part: Part, bits: number, random: Random): number {
  return within(file, descriptor => {
    if (read(descriptor, GEOMETRY.blockSize, 4).readUInt32LE() !== BLOCK)
      throw new Error(`${file} is not laid out as this module expects; see native/shm_layout.h`);
    const at = (field: number) => Number(read(descriptor, field, 8).readBigUInt64LE());
    const ranges: Record<Exclude<Part, 'data'>, [number, number]> = {
      header: [HEADER_AFTER_MAGIC, 256],
      processes: [at(GEOMETRY.processes), at(GEOMETRY.generations)],
      stripes: [at(GEOMETRY.stripes), at(GEOMETRY.buckets)],
      index: [at(GEOMETRY.buckets), at(GEOMETRY.slots)],
      slots: [at(GEOMETRY.slots), at(GEOMETRY.follows)],
    };
    let flipped = 0;
    for (let bit = 0; bit < bits; bit++) {
      if (part === 'data') {
        const block = randomBlock(descriptor, at(GEOMETRY.slots), at(GEOMETRY.data), random);
        if (block === undefined || isPinned(descriptor, block.slot, ranges.processes)) continue;
        flip(descriptor, block.offset + random.integer(0, BLOCK), random);
      } else flip(descriptor, random.integer(...ranges[part]), random);
      flipped++;
    }
    return flipped;
  });
}

/**
 * Flips `bits` bits in a store of LMDB that may be in use: in the blocks that it holds, or in its trees.
 * @returns the number flipped
 */
export function flipStore(folder: string, part: 'values' | 'trees', bits: number, random: Random): number {
  const files = readdirSync(folder).filter(name => name.endsWith('.mdb'));
  const name = part === 'values' ? files.find(each => each.startsWith('blocks')) : random.pick(files);
  if (name === undefined) return 0;
  return within(join(folder, name), descriptor => {
    if (read(descriptor, PAGE_HEADER, 4).readUInt32LE() !== LMDB_MAGIC)
      throw new Error(`${name} does not have the page headers of LMDB that this module expects`);
    let flipped = 0;
    for (let bit = 0; bit < bits; bit++) {
      const pages = Math.floor(fstatSync(descriptor).size / PAGE);
      const page = findPage(descriptor, pages, part, random);
      if (page === undefined) continue;
      const length = part === 'values' ? VALUE : PAGE - PAGE_HEADER;
      flip(descriptor, page * PAGE + PAGE_HEADER + random.integer(0, length), random);
      flipped++;
    }
    return flipped;
  });
}

function within(file: string, action: (descriptor: number) => number): number {
  const descriptor = openSync(file, 'r+');
  try {
    return action(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function read(descriptor: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  readSync(descriptor, bytes, 0, length, offset);
  return bytes;
}

function flip(descriptor: number, offset: number, random: Random): void {
  const byte = read(descriptor, offset, 1);
  byte[0]! ^= 1 << random.integer(0, 8);
  writeSync(descriptor, byte, 0, 1, offset);
}

/** A slot that holds a whole block. */
function randomBlock(descriptor: number, slots: number, data: number, random: Random) {
  const slotCount = read(descriptor, GEOMETRY.slotCount, 4).readUInt32LE();
  for (let tries = 0; tries < 50; tries++) {
    const slot = random.integer(0, slotCount);
    const header = read(descriptor, slots + slot * SLOT_HEADER, SLOT_HEADER);
    if (header.readUInt32LE(SLOT_STATE) === USED && header.readBigUInt64LE(SLOT_OWNER) === 0n)
      return { slot, offset: data + slot * BLOCK };
  }
  return undefined;
}

function isPinned(descriptor: number, slot: number, [from, to]: [number, number]): boolean {
  const entries = read(descriptor, from, to - from);
  for (let at = HAZARDS; at + PROCESS_ENTRY <= entries.length + HAZARDS; at += PROCESS_ENTRY) {
    for (let pin = 0; pin < PINS; pin++) if (entries.readUInt32LE(at + 4 * pin) === slot + 1) return true;
  }
  return false;
}

/** A page that begins a block, or one of a tree, from a random one on. */
function findPage(descriptor: number, pages: number, part: 'values' | 'trees', random: Random): number | undefined {
  const first = random.integer(0, Math.max(1, pages));
  for (let step = 0; step < Math.min(pages, 5000); step++) {
    const page = (first + step) % pages;
    const head = read(descriptor, page * PAGE, PAGE_HEADER + 4);
    const flags = head.readUInt16LE(PAGE_FLAGS);
    const isValue = (flags & OVERFLOW) !== 0 && head.readUInt32LE(PAGE_HEADER) === VALUE_MAGIC;
    const isTree = Number(head.readBigUInt64LE()) === page && (flags & ~BRANCH_OR_LEAF) === 0 && flags !== 0;
    if (part === 'values' ? isValue : isTree) return page;
  }
  return undefined;
}
