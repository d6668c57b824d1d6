// Says what to do when this Node.js can't run moovedge, before anything else fails. Runs as npm's `preinstall` and is
// imported first by the programs. Written for any Node.js that knows modules: nothing newer than version 14.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { bringsAddon } from './prebuilt.mjs';

/** Releases of Node.js for which the front end (uWebSockets.js) has a binary and the dependencies run, by ABI. */
const ABIS = { 115: 'Node 20 (20.9 or later)', 127: 'Node 22' };
/** The same of those who make it, which wants a C library as new as that of Debian 13 or Ubuntu 24.04. */
const UPSTREAM_ABIS = { 137: 'Node 24' };
const UPSTREAM_GLIBC = [2, 38];
const ARCHITECTURES = ['x64', 'arm64'];
const FIRST_OF_20 = 9;
/**
 * What package.json says of uWebSockets.js as it is shipped; somebody who changed it brings another binary, and knows
 * why.
 */
const PINNED = 'npm:uws-pack@20.0.8';

const ROOT = new URL('../', import.meta.url);

/** Version of the C library. */
function glibc() {
  return process.report.getReport().header.glibcVersionRuntime ?? '0';
}

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > UPSTREAM_GLIBC[0] || (major === UPSTREAM_GLIBC[0] && minor >= UPSTREAM_GLIBC[1]);
}

/** What keeps this machine from running moovedge, in lines for people; empty when nothing does. */
function obstacles() {
  if (process.platform !== 'linux') return [`moovedge runs on Linux; this is ${process.platform}.`];
  const front = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')).dependencies['uWebSockets.js'];
  if (front !== PINNED) return [];
  const { modules: abi, node: version } = process.versions;
  const [major, minor] = version.split('.').map(Number);
  const isOld = major === 20 && minor < FIRST_OF_20;
  const library = abi in UPSTREAM_ABIS ? glibc() : undefined;
  const fits = abi in ABIS || (library !== undefined && isNewEnough(library));
  if (!fits || !ARCHITECTURES.includes(process.arch) || isOld) {
    const names = Object.values(UPSTREAM_ABIS).join(' and ');
    return [
      `moovedge has no front end for Node ${version} on ${process.arch}${library === undefined ? '' : ` with glibc ${library}`}.`,
      `It runs on ${Object.values(ABIS).join(' and ')}, on ${ARCHITECTURES.join(' and ')},`,
      `and on ${names} where glibc is ${UPSTREAM_GLIBC.join('.')} or later (Debian 13, Ubuntu 24.04). Either`,
      '  - use one of those, for example without installing it:',
      '      npx -y -p node@22 npm ci && npx -y -p node@22 npm start',
      '  - or take the front end from those who make it, in a release for this Node',
      '    (https://github.com/uNetworking/uWebSockets.js/releases says which Node each is for), such as:',
      '      npm install uWebSockets.js@github:uNetworking/uWebSockets.js#v20.67.0 && npm install',
    ];
  }
  // The front end's binary does not run on the C library of Alpine.
  if (existsSync('/etc/alpine-release'))
    return ['moovedge needs a system with glibc, such as Debian; this one is Alpine.'];
  return [];
}

/** Programs that the addon is built with and that are not there. Asked at installation only. */
function missingTools() {
  const tools = ['make', 'python3'].concat(process.env.CXX ? [] : ['g++']);
  return tools.filter(tool => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error !== undefined);
}

const lines = obstacles();
if (lines.length === 0 && process.env.npm_lifecycle_event === 'preinstall' && !bringsAddon()) {
  // In a clone of the repository what is missing is installed, where that takes no password; in a package it is named.
  const packages = new URL('test/packages.mjs', ROOT);
  if (existsSync(packages)) (await import(packages.href)).provide('build');
  const missing = missingTools();
  if (missing.length > 0) {
    lines.push(
      `moovedge builds a small addon and needs ${missing.join(', ')}. On Debian and Ubuntu:`,
      `  apt-get install -y ${missing.join(' ')}`,
    );
  }
}
if (lines.length > 0) {
  process.stderr.write(`\n${lines.join('\n')}\n\n`);
  process.exit(1);
}
