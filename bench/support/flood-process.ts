// Floods a port without end, in one of the ways below: `flood-process.ts PORT TARGET CONNECTIONS KIND`. Says `on`
// when all connections are at it. They come from another address than the honest player's.
import { connect, type Socket } from 'node:net';
import { connect as secureConnect } from 'node:tls';

const [port = '', target = '', count = '', kind = ''] = process.argv.slice(2);
const TO = { port: Number(port), host: '127.0.0.1', localAddress: '127.0.0.2' };
/** Requests that are written at once. */
const AT_ONCE = 2000;
let made = 0;
let open = 0;

function request(path: string, more = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: flood\r\nRange: bytes=0-3\r\n${more}\r\n`;
}

/** A target that nobody has asked for before. */
function anew(path: string): string {
  return `${path}-${process.pid}-${made++}`;
}

/** What is pipelined, by kind. */
const PIPELINED: Record<string, () => string> = {
  hits: () => request(target),
  hits_tls: () => request(target),
  heads: () => request(target).replace('GET', 'HEAD'),
  missing: () => request('/nothing'),
  unknown: () => request(`/${anew('nothing')}`),
  misses: () => request(anew(target)),
  methods: () => request(target).replace('GET', 'BREW'),
};

/** What is sent on a connection that ends with its answer, by kind. */
const ONCE: Record<string, () => string> = {
  connections: () => request(target, 'Connection: close\r\n'),
  handshakes_tls: () => request(target, 'Connection: close\r\n'),
  malformed: () => 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  bodies: () => request(target, 'Content-Length: 5\r\n').replace('GET', 'POST'),
};

const isSecure = kind.endsWith('_tls');

function dial(ready: (socket: Socket) => void): Socket {
  const socket = isSecure
    ? secureConnect({ ...TO, rejectUnauthorized: false }, () => ready(socket))
    : connect(TO, () => ready(socket));
  return socket.on('error', () => {}).resume();
}

function started(): void {
  if (++open === Number(count)) process.stdout.write('on\n');
}

function pipeline(text: () => string): void {
  let isFirst = true;
  const lot = () => Buffer.from(Array.from({ length: AT_ONCE }, text).join(''));
  // Only texts that differ are made again and again.
  const [one, other] = [text(), text()];
  const same = lot();
  const next = () => (one === other ? same : lot());
  const again = () => {
    const socket = dial(() => {
      const write = () => {
        while (socket.write(next()));
      };
      socket.on('drain', write);
      write();
      if (isFirst) started();
      isFirst = false;
    });
    socket.on('close', again);
  };
  again();
}

function once(text: () => string): void {
  let isFirst = true;
  const again = () => {
    const socket = dial(() => {
      socket.write(text());
      if (isFirst) started();
      isFirst = false;
    });
    socket.on('end', () => socket.destroy()).on('close', again);
  };
  again();
}

for (let i = 0; i < Number(count); i++) {
  if (PIPELINED[kind] !== undefined) pipeline(PIPELINED[kind]);
  else once(ONCE[kind]!);
}
