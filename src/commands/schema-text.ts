import { schema } from '../config/schema.js';
import { editorSchema } from '../config/setting.js';

/** The JSON Schema of configuration files. */
export function schemaText(): string {
  const head = { $schema: 'http://json-schema.org/draft-07/schema#', title: 'Configuration of moovedge' };
  return `${JSON.stringify({ ...head, ...editorSchema(schema) }, undefined, 1)}\n`;
}
