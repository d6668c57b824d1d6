// Pipelines requests on many connections without end: `flood-process.ts PORT TARGET CONNECTIONS`. Says `on` when all of
// them are at it.
import { connect } from 'node:net';

const [port = '', target = '', count = ''] = process.argv.slice(2);
const text = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: flood\r\nRange: bytes=0-3\r\n\r\n`.repeat(2000));
let open = 0;
for (let i = 0; i < Number(count); i++) {
  const socket = connect(Number(port), '127.0.0.1');
  const write = () => {
    while (socket.write(text));
  };
  socket
    .on('error', () => {})
    .on('drain', write)
    .resume();
  socket.on('connect', () => {
    write();
    if (++open === Number(count)) process.stdout.write('on\n');
  });
}
