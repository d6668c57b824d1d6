import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The command line as built (`npm run build`). */
export const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** What an edge is started with, by tests and benches; what is left out is as the edge has it by default. */
export interface EdgeSetup {
  /** Origins of the configuration, as YAML flow, or a URL or directory for a single one. */
  readonly origin?: string | undefined;
  /** 1 when left out. */
  readonly workers?: number | undefined;
  /** Size of its memory tier, such as `512MiB`; left out, `settings` say what they want of `cache`. */
  readonly memory?: string | undefined;
  /** File of the memory tier; `cache` in the edge's folder when left out. */
  readonly memoryFile?: string | undefined;
  /** Size of its disk tier, `disk` in its folder. */
  readonly disk?: string | undefined;
  /** More of `listen`, as YAML flow: `tls: {…}`. */
  readonly listen?: string | undefined;
  /** Further listeners, as items of YAML flow, with `$FOLDER` as in `settings`. */
  readonly listeners?: string | undefined;
  /** More of the configuration: top-level sections in YAML, with `$FOLDER` for the edge's folder. */
  readonly settings?: string | undefined;
  /** Arguments of node in front of the configuration's file; `CLI serve --config` when left out. */
  readonly entry?: readonly string[] | undefined;
  /** True to take port and files over from an edge that runs. */
  readonly takeOver?: boolean | undefined;
}

/** Where an edge is: the folder of its files, and its two ports on 127.0.0.1. */
export interface EdgePlace {
  readonly folder: string;
  readonly port: number;
  readonly adminPort: number;
}

/** The file of the memory tier of an edge at this place. */
export function memoryFileOf({ folder }: EdgePlace, { memoryFile }: EdgeSetup = {}): string {
  return memoryFile ?? join(folder, 'cache');
}

/** Writes the configuration of an edge, `edge.yaml` in its folder, and returns its name. */
export function writeConfig(place: EdgePlace, setup: EdgeSetup): string {
  const { folder, port, adminPort } = place;
  const { origin, workers = 1, memory, disk, listen, listeners, settings = '' } = setup;
  const first = `{host: 127.0.0.1, port: ${port}${listen === undefined ? '' : `, ${listen}`}}`;
  const lines = [
    `listen: ${listeners === undefined ? first : `[${first}, ${listeners.replaceAll('$FOLDER', folder)}]`}`,
    `admin: {port: ${adminPort}}`,
    `workers: ${workers}`,
  ];
  if (origin !== undefined) {
    lines.push(`origins: ${origin.startsWith('[') ? origin : JSON.stringify([{ name: 'main', url: origin }])}`);
  }
  if (memory !== undefined) {
    const tiers = [`memory: {size: ${memory}, file: ${memoryFileOf(place, setup)}}`];
    if (disk !== undefined) tiers.push(`disk: {path: ${join(folder, 'disk')}, size: ${disk}}`);
    lines.push(`cache: {${tiers.join(', ')}}`);
  }
  lines.push(settings.replaceAll('$FOLDER', folder));
  const file = join(folder, 'edge.yaml');
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, lines.join('\n'));
  return file;
}

/** Writes the configuration of an edge, and returns the command that starts it, program first. */
export function edgeCommand(place: EdgePlace, setup: EdgeSetup): string[] {
  const { entry = [CLI, 'serve', '--config'], takeOver = false } = setup;
  return [process.execPath, ...entry, writeConfig(place, setup), ...(takeOver ? ['--take-over'] : [])];
}
