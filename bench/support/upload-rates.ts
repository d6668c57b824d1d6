import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { UploadPorts } from './upload-process.js';

const SCRIPT = fileURLToPath(new URL('upload-process.ts', import.meta.url));
const MIB = 1024 * 1024;
const VERSION = { 'Tus-Resumable': '1.0.0' };

/** MiB a second of each round, by who takes the bytes. */
export interface UploadRates {
  /** Of a bare server that writes one file. */
  readonly plain: number[];
  readonly ours: number[];
  /** Bytes that ours wrote for each that was sent. */
  written: number;
}

/** Uploads the same bytes to both, taking turns; they are a process of their own. */
export async function uploadRates(folder: string, size: number, rounds: number): Promise<UploadRates> {
  const child = fork(SCRIPT, { execArgv: ['--import', 'tsx'] });
  const rates: UploadRates = { plain: [], ours: [], written: 0 };
  try {
    const { plain, ours } = await portsOf(child, folder);
    const bytes = Buffer.alloc(size, randomBytes(MIB));
    const rateOf = async (send: () => Promise<unknown>) => {
      const begun = performance.now();
      await send();
      return size / MIB / ((performance.now() - begun) / 1000);
    };
    for (let round = 0; round <= rounds; round++) {
      const found = [
        await rateOf(() => ask(plain, 'PUT', '/', {}, bytes)),
        await rateOf(() => upload(ours, bytes)),
      ] as const;
      rates.written = sizeOf(join(folder, 'storage')) / size;
      for (const name of ['plain', 'storage']) rmSync(join(folder, name), { recursive: true });
      // The first round warms both.
      if (round === 0) continue;
      rates.plain.push(found[0]);
      rates.ours.push(found[1]);
    }
    return rates;
  } finally {
    child.kill('SIGKILL');
  }
}

async function portsOf(child: ChildProcess, folder: string): Promise<UploadPorts> {
  child.send(folder);
  const [ports] = (await once(child, 'message')) as [UploadPorts];
  return ports;
}

async function upload(port: number, bytes: Buffer): Promise<void> {
  const made = await ask(port, 'POST', '/files/', { ...VERSION, 'Upload-Length': String(bytes.length) });
  const place = new URL(made.headers.location!, `http://127.0.0.1:${port}/`).pathname;
  const type = { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0' };
  await ask(port, 'PATCH', place, { ...VERSION, ...type }, bytes);
}

async function ask(port: number, method: string, path: string, headers: object, body?: Buffer) {
  const sent = request({
    ...{ host: '127.0.0.1', port, method, path, agent: false },
    headers: { 'Content-Length': body?.length ?? 0, ...headers },
  });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  if (response.statusCode! >= 300) throw new Error(`${method} ${path}: ${response.statusCode}`);
  return response;
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}
