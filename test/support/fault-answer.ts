import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { At, Interruption, Plan, SeenRequest } from './fault-plan.js';

/** Holds a stalled answer. */
export interface Gate {
  open(): void;
}

const CHUNK = 64 * 1024;

/** Settles with false when the connection is gone. */
function written(socket: Socket, bytes: Uint8Array | string): Promise<boolean> {
  if (socket.destroyed || !socket.writable) return Promise.resolve(false);
  if (typeof bytes === 'string' ? socket.write(bytes, 'latin1') : socket.write(bytes)) return Promise.resolve(true);
  return new Promise(resolve => {
    const settle = () => {
      socket.off('drain', settle).off('close', settle);
      resolve(!socket.destroyed);
    };
    socket.on('drain', settle).on('close', settle);
  });
}

/** Waits for `ms`, for the gates to be opened, or for the connection to go; false in the last case. */
function held(socket: Socket, ms: number | undefined, gates: Set<Gate>): Promise<boolean> {
  return new Promise(resolve => {
    const open = () => {
      clearTimeout(timer);
      gates.delete(gate);
      socket.off('close', open);
      resolve(!socket.destroyed);
    };
    const gate = { open };
    const timer = ms === undefined ? undefined : setTimeout(open, ms);
    gates.add(gate);
    socket.on('close', open);
    if (socket.destroyed) open();
  });
}

/** Sends everything that has been written, then resets the connection. */
function reset(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    socket.once('close', () => resolve());
    if (socket.destroyed) resolve();
    // A TLS socket has no resetAndDestroy of its own that sends RST; destroying without close_notify is its like.
    const tear = () => ('encrypted' in socket ? socket.destroy() : socket.resetAndDestroy());
    // What was written before the reset should arrive: RST discards what the kernel has not sent, loopback sends at
    // once.
    socket.write('', () => setImmediate(tear));
  });
}

/** False when the answer is over. */
async function interrupt(socket: Socket, { action, ms }: Interruption, gates: Set<Gate>): Promise<boolean> {
  if (action === 'stall') return held(socket, ms, gates);
  if (action === 'close') socket.end();
  else await reset(socket);
  return false;
}

function headOf(plan: Plan): Buffer {
  if (plan.rawHead !== undefined) return Buffer.from(plan.rawHead);
  const lines = [`HTTP/1.1 ${plan.status} ${STATUS_CODES[plan.status] ?? 'Unknown'}`];
  for (const [name, value] of plan.headers) lines.push(`${name}: ${value}`);
  if (plan.chunked) lines.push('Transfer-Encoding: chunked');
  if (plan.close) lines.push('Connection: close');
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** Sends one answer as planned; settles when it is over, however it ends. */
export async function sendAnswer(socket: Socket, request: SeenRequest, plan: Plan, gates: Set<Gate>): Promise<void> {
  const at = (position: At) => plan.interruptions.filter(interruption => interruption.at === position);
  const pass = async (position: At) => {
    for (const interruption of at(position)) if (!(await interrupt(socket, interruption, gates))) return false;
    return true;
  };
  if (!(await pass('head'))) return;
  const head = headOf(plan);
  const half = at('within-head').length > 0 ? Math.floor(head.length / 2) : 0;
  if (half > 0 && !(await written(socket, head.subarray(0, half)))) return;
  if (half > 0 && !(await pass('within-head'))) return;
  request.status = plan.status;
  request.offset = plan.offset;
  if (!(await written(socket, head.subarray(half)))) return;
  if (request.method !== 'HEAD' && plan.status !== 304 && !(await sendBody(socket, request, plan, pass))) return;
  if (plan.chunked === 'whole') socket.write('0\r\n\r\n');
  if (plan.close || plan.chunked === 'unterminated') socket.end();
}

async function sendBody(
  socket: Socket,
  request: SeenRequest,
  plan: Plan,
  pass: (at: At) => Promise<boolean>,
): Promise<boolean> {
  const stops = plan.interruptions.map(({ at }) => at).filter(at => typeof at === 'number');
  for (let sent = 0; ; ) {
    if (stops.includes(sent) && !(await pass(sent))) return false;
    if (sent >= plan.length) return true;
    const next = Math.min(plan.length, sent + (plan.drip?.bytes ?? CHUNK), ...stops.filter(stop => stop > sent));
    const bytes = plan.read(plan.offset + sent, plan.offset + next);
    if (plan.chunked) socket.write(`${bytes.length.toString(16)}\r\n`);
    request.bytes += bytes.length;
    if (!(await written(socket, bytes))) return false;
    if (plan.chunked) socket.write('\r\n');
    sent = next;
    if (plan.drip && sent < plan.length && !(await held(socket, plan.drip.ms, new Set()))) return false;
  }
}
