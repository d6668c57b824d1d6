// `npm run deb [-- FOLDER [-Znone]]`: makes a Debian package of this machine's architecture, in FOLDER (build/) or as
// dpkg-deb is told. It holds the program with its packages, and wants Node.js from the system. Needs dpkg-deb, no root.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const HERE = join(ROOT, 'packaging');
const LIBRARY = 'usr/lib/moovedge';
const { version, description } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const [target = join(ROOT, 'build'), ...dpkgFlags] = process.argv.slice(2);
const stage = mkdtempSync(join(tmpdir(), 'moovedge-deb-'));

/** Writes a file of the package. */
function put(path, content, mode = 0o644) {
  const file = join(stage, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content, { mode });
}

/** The program as `npm pack` has it, and below it what it needs at run time: no sources, no other machine's binaries. */
function addProgram() {
  const library = join(stage, LIBRARY);
  mkdirSync(library, { recursive: true });
  const packed = mkdtempSync(join(tmpdir(), 'moovedge-pack-'));
  execFileSync('npm', ['pack', '--silent', '--pack-destination', packed], { cwd: ROOT, stdio: 'ignore' });
  execFileSync('tar', ['-xzf', join(packed, readdirSync(packed)[0]), '-C', library, '--strip-components=1']);
  rmSync(packed, { recursive: true });
  for (const name of readdirSync(join(library, 'native'))) {
    if (name !== 'prebuilt') rmSync(join(library, 'native', name));
  }
  for (const name of readdirSync(join(library, 'src'), { recursive: true })) {
    if (name.endsWith('.ts')) rmSync(join(library, 'src', name));
  }
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  for (const [path, { dev }] of Object.entries(packages)) {
    // What compiles the addon is no part of it, and of optional packages those for other machines are not there.
    if (path === '' || dev || path === 'node_modules/node-addon-api' || !existsSync(join(ROOT, path))) continue;
    cpSync(join(ROOT, path), join(library, path), {
      recursive: true,
      filter: source => !source.slice(join(ROOT, path).length).startsWith('/node_modules'),
    });
  }
  const frontEnd = `uws_linux_${process.arch}_`;
  const binaries = join(library, 'node_modules/uWebSockets.js/dist/bin');
  for (const name of readdirSync(binaries)) if (!name.startsWith(frontEnd)) rmSync(join(binaries, name));
}

/** Where Debian has commands, manual pages, completions, units and settings. */
function addPlaces() {
  const share = name => readFileSync(join(stage, LIBRARY, 'dist/share', name));
  mkdirSync(join(stage, 'usr/bin'), { recursive: true });
  chmodSync(join(stage, LIBRARY, 'dist/cli.js'), 0o755);
  symlinkSync('../lib/moovedge/dist/cli.js', join(stage, 'usr/bin/moovedge'));
  put('usr/share/man/man1/moovedge.1.gz', gzipSync(share('moovedge.1'), { level: 9 }));
  put('usr/share/moovedge/moovedge.schema.json', share('moovedge.schema.json'));
  put('usr/share/bash-completion/completions/moovedge', share('completion/moovedge.bash'));
  put('usr/share/zsh/vendor-completions/_moovedge', share('completion/_moovedge'));
  put('usr/share/fish/vendor_completions.d/moovedge.fish', share('completion/moovedge.fish'));
  put('usr/share/doc/moovedge/copyright', readFileSync(join(ROOT, 'LICENSE')));
  put('usr/share/doc/moovedge/config.example.yaml', readFileSync(join(ROOT, 'config.example.yaml')));
  put('usr/lib/systemd/system/moovedge.service', readFileSync(join(HERE, 'moovedge.service')));
  put('usr/lib/sysusers.d/moovedge.conf', readFileSync(join(HERE, 'moovedge.sysusers')));
  put('etc/moovedge/moovedge.yaml', readFileSync(join(HERE, 'moovedge.yaml')));
}

function addControl(architecture) {
  const { glibcVersionRuntime } = process.report.getReport().header;
  const kibibytes = execFileSync('du', ['-sk', '--apparent-size', stage], { encoding: 'utf8' }).split('\t')[0];
  const fields = {
    Package: 'moovedge',
    Version: version,
    Architecture: architecture,
    Maintainer: 'The moovedge authors <moovedge@localhost>',
    'Installed-Size': kibibytes,
    Depends: `nodejs (>= 20.9), libc6 (>= ${glibcVersionRuntime}), libstdc++6`,
    Recommends: 'systemd | adduser',
    Section: 'httpd',
    Priority: 'optional',
    Description: `${description}\n It keeps in memory and on SSD the parts of films that somebody watches, and answers\n byte ranges and seeks in place of nginx with its slice and mp4 modules.`,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\n`);
  put('DEBIAN/control', lines.join(''));
  put('DEBIAN/conffiles', '/etc/moovedge/moovedge.yaml\n');
  for (const name of ['postinst', 'prerm', 'postrm']) put(`DEBIAN/${name}`, readFileSync(join(HERE, name)), 0o755);
}

try {
  const architecture = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim();
  addProgram();
  addPlaces();
  addControl(architecture);
  // Folders of this user's mask are everybody's to read once they are installed.
  execFileSync('chmod', ['-R', 'u+rwX,go+rX,go-w', stage]);
  const file = join(resolve(target), `moovedge_${version}_${architecture}.deb`);
  mkdirSync(dirname(file), { recursive: true });
  execFileSync('dpkg-deb', ['--root-owner-group', ...dpkgFlags, '--build', stage, file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  process.stdout.write(`${file}\n`);
} finally {
  rmSync(stage, { recursive: true, force: true });
}
