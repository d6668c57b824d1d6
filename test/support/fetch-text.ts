import { type Agent, get, type IncomingMessage } from 'node:http';

/** An answer's status and body. */
export interface TextAnswer {
  readonly status: number;
  readonly body: string;
}

/** GET from 127.0.0.1 over a connection of its own, unless `agent` keeps some. */
export function fetchText(
  port: number,
  url: string,
  { agent, headers = {} }: { agent?: Agent; headers?: Record<string, string> } = {},
) {
  return new Promise<TextAnswer>((resolve, reject) => {
    const request = get(
      { host: '127.0.0.1', port, path: url, agent: agent ?? false, headers },
      (response: IncomingMessage) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', chunk => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.on('error', reject);
      },
    );
    request.on('error', reject);
  });
}
