import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { S3Storage } from '../../src/pipeline/storage/s3-storage.js';
import { programPath } from '../packages.mjs';
import { freePorts } from './ports.js';
import { until } from './until.js';

const SCRIPT = fileURLToPath(new URL('swift-servers.py', import.meta.url));
/** Swift is Debian's, and so is the Python that has it. */
const PYTHON = '/usr/bin/python3';
const MODULE = '/usr/lib/python3/dist-packages/swift';
const ZONES = [0, 1, 2] as const;

/** One of the three places that an object is to lie at. */
export interface Place {
  /** `BUCKET/KEY`. */
  readonly name: string;
  readonly zone: number;
  readonly disk: string;
  /** Whether it is there. */
  readonly held: boolean;
}

/** Why there is no Swift on this machine; false when there is. */
export const SWIFT_MISSING: string | false =
  existsSync(MODULE) && programPath('rsync') !== undefined
    ? false
    : 'OpenStack Swift is not installed: node test/packages.mjs swift';

/** OpenStack Swift with three zones of two disks, and an S3-compatible port, on loopback. */
export class SwiftStore {
  readonly bucket = 'films';
  readonly s3: {
    readonly endpoint: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
  readonly #folder: string;
  readonly #ports: readonly number[];
  readonly #running = new Map<string, ChildProcess>();

  private constructor(folder: string, ports: readonly number[], secret: string) {
    this.#folder = folder;
    this.#ports = ports;
    const credentials = { accessKeyId: 'films:maker', secretAccessKey: secret };
    this.s3 = { endpoint: `http://127.0.0.1:${ports[0]}`, credentials };
    process.on('exit', () => this.#killAll());
  }

  /** Starts all of it, and makes the bucket. */
  static async start(): Promise<SwiftStore> {
    const folder = mkdtempSync(join(tmpdir(), 'moovedge-swift-'));
    const ports = await freePorts(11);
    const secret = randomBytes(12).toString('hex');
    const [proxy, rsync, ...servers] = ports;
    const zones = ZONES.map(zone => {
      const [account, container, object] = servers.slice(3 * zone);
      return { account, container, object };
    });
    writeFileSync(join(folder, 'ports.json'), JSON.stringify({ proxy, rsync, zones, secret }));
    const store = new SwiftStore(folder, ports, secret);
    try {
      await store.#startAll();
      return store;
    } catch (error) {
      await store.end();
      throw error;
    }
  }

  async #startAll(): Promise<void> {
    const [, rsync] = this.#ports;
    await this.#run('rings');
    const daemon = ['--daemon', '--no-detach', '--address=127.0.0.1', `--port=${rsync}`];
    this.#start('rsync', programPath('rsync')!, [...daemon, `--config=${join(this.#folder, 'rsyncd.conf')}`]);
    this.#start('proxy', PYTHON, [SCRIPT, 'proxy', this.#folder]);
    for (const zone of ZONES) this.#start(`zone ${zone}`, PYTHON, [SCRIPT, 'zone', String(zone), this.#folder]);
    await Promise.all(this.#ports.map(port => this.#answers(port)));
    const client = new S3Client({ ...this.s3, region: 'us-east-1', forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: this.bucket }));
    client.destroy();
  }

  /** A client of the bucket. */
  storage(prefix: string): S3Storage {
    const { bucket, s3 } = this;
    return new S3Storage({ bucket, prefix, region: 'us-east-1', pathStyle: true, ...s3 });
  }

  async zoneOff(zone: number): Promise<void> {
    await this.#kill(`zone ${zone}`);
  }

  async zoneOn(zone: number): Promise<void> {
    this.#start(`zone ${zone}`, PYTHON, [SCRIPT, 'zone', String(zone), this.#folder]);
    await Promise.all(this.#ports.slice(2 + 3 * zone, 5 + 3 * zone).map(port => this.#answers(port)));
  }

  /** Takes everything from a disk, as when a new one is put in its place. */
  wipe(disk: string): void {
    const path = join(this.#folder, 'disks', disk);
    rmSync(path, { recursive: true });
    mkdirSync(path);
  }

  /** One pass of the replicators of all zones that are on. */
  async replicate(): Promise<void> {
    for (const zone of ZONES) if (this.#running.has(`zone ${zone}`)) await this.#run('replicate', String(zone));
  }

  /** Where the ring wants objects, by keys of the bucket. */
  async places(keys: readonly string[]): Promise<Place[]> {
    return JSON.parse(await this.#run('places', ...keys.map(key => `${this.bucket}/${key}`))) as Place[];
  }

  async end(): Promise<void> {
    await Promise.all([...this.#running.keys()].map(name => this.#kill(name)));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #run(...args: string[]): Promise<string> {
    const options = { env: ENVIRONMENT, maxBuffer: 64 * 1024 * 1024 };
    return (await promisify(execFile)(PYTHON, [SCRIPT, ...args, this.#folder], options)).stdout;
  }

  #start(name: string, program: string, args: readonly string[]): void {
    const log = openSync(join(this.#folder, 'log'), 'a');
    this.#running.set(name, spawn(program, args, { stdio: ['ignore', log, log], env: ENVIRONMENT }));
    closeSync(log);
  }

  async #kill(name: string): Promise<void> {
    const child = this.#running.get(name);
    this.#running.delete(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  #killAll(): void {
    for (const child of this.#running.values()) child.kill('SIGKILL');
  }

  async #answers(port: number): Promise<void> {
    await until(`port ${port} of Swift`, () => {
      const socket = connect({ port, host: '127.0.0.1' });
      return new Promise<boolean>(resolve => {
        socket.once('connect', () => resolve(true));
        socket.once('error', () => resolve(false));
      }).finally(() => socket.destroy());
    });
  }
}

/** Bytecode beside the script would be files that nobody asked for. */
const ENVIRONMENT = { PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: '1' };
