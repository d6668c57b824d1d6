import { choice, fieldName, text, time } from './kind.js';
import { list, setting } from './setting.js';

/** Which web pages may read answers; `where` ends each sentence. */
export function corsSettings(where: string) {
  return {
    origins: list(
      setting(
        text('* or an origin such as https://player.example.com', /^(\*|https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?)$/),
        `Web origins whose pages may read answers${where}; * is any; none turns CORS off.`,
      ),
      { max: 1000 },
    ),
    methods: list(setting(choice('GET', 'HEAD', 'OPTIONS'), `Methods that a preflight allows${where}.`), {
      max: 3,
    }).prefault(['GET', 'HEAD']),
    headers: list(setting(fieldName(), `Request fields that a preflight allows${where}.`), { max: 100 }).prefault([
      'Range',
    ]),
    exposeHeaders: list(setting(fieldName(), `Answer fields that pages may read${where}.`), { max: 100 }).prefault([
      'Accept-Ranges',
      'Content-Length',
      'Content-Range',
      'ETag',
      'X-Seek-Actual',
    ]),
    maxAge: setting(time('0', '24h'), `How long a browser may keep the answer to a preflight${where}.`).prefault('1h'),
  };
}
