import { readFileSync } from 'node:fs';
import { expectOwnFile, replaceOwnFile } from '../../base/own-files.js';
import { textChecksum } from '../map/text-checksum.js';
import { decodeMember, encodeMember, type Member } from './member.js';

/** What outlives etcd and a restart. */
export interface KeptMap {
  /** Which etcd it came from, and the revision of the map there. */
  readonly store: string;
  readonly epoch: number;
  /** The map as etcd has it. */
  readonly text: string;
  /** Nodes as they were last seen alive. */
  readonly members: readonly Member[];
}

const MARK = 'moovedge-cluster/1';

/** The copy of the map on disk: with a checksum, and replaced as a whole. */
export class MapFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * What was kept last; undefined when there is no copy.
   * @throws Error that says why the copy can't be used
   */
  read(): KeptMap | undefined {
    if (!expectOwnFile(this.path)) return undefined;
    const [head = '', ...lines] = readFileSync(this.path, 'utf8').split('\n');
    const body = lines.join('\n');
    if (head !== `${MARK} ${textChecksum(body)}`) throw new Error('expected another checksum');
    const { store, epoch, text, members } = JSON.parse(body) as Omit<KeptMap, 'members'> & {
      readonly members: readonly string[];
    };
    return { store, epoch, text, members: members.flatMap(member => decodeMember(member) ?? []) };
  }

  /** @throws Error of the file system */
  write({ members, ...kept }: KeptMap): void {
    const body = JSON.stringify({ ...kept, members: members.map(encodeMember) });
    replaceOwnFile(this.path, `${MARK} ${textChecksum(body)}\n${body}`);
  }
}
