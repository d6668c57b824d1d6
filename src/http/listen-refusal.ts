import { createServer } from 'node:net';

/** The system's reason for refusing an address to a front end, in words. */
export function whyNotListening(host: string, port: number): Promise<string> {
  return new Promise(resolve => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(REASONS[error.code ?? ''] ?? error.message));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve('the address is in use')));
  });
}

const REASONS: Record<string, string> = {
  EADDRINUSE: 'another program listens there; stop it or choose another port',
  EACCES: 'no permission; ports below 1024 need CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'the address is not one of this machine',
  ENOTFOUND: 'the host name is not known',
};
