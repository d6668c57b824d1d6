import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../test/support/ports.js';
import type { Contestant } from './contest.js';
import { Server } from './server.js';

/** Its first word is the `bare` of `--peers`. */
const NAME = 'bare recv, copy, crc, send';

/** The hardware's limit for misses, see miss-floor.cc. @param origin URL of an origin on this machine */
export function missFloor(origin: string, folder: string, memory: number): Contestant {
  const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  return {
    name: NAME,
    async start() {
      const program = join(folder, 'miss-floor');
      mkdirSync(folder, { recursive: true });
      const sources = [here('miss-floor.cc'), here('../../native/shm_crc.cc')];
      execFileSync(process.env.CXX ?? 'g++', ['-O2', '-std=c++17', ...sources, '-o', program]);
      const [port = 0] = await freePorts(1);
      const args = [String(port), new URL(origin).port, String(memory)];
      return Server.start({ name: NAME, command: program, args, port });
    },
  };
}
