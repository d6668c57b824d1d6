// A noise origin in a process of its own: says its URL, and runs until it is ended.
import { startNoiseOrigin } from './noise-origin.js';

const { url } = await startNoiseOrigin();
process.stdout.write(`${url}\n`);
