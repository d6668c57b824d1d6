/** Attributes of an element; those that are undefined are left out. */
export type XmlAttributes = Readonly<Record<string, string | number | undefined>>;

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};
/** Characters that XML 1.0 has no way to write. */
const UNWRITABLE = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

/** Text that stands for itself. */
const PLAIN = /^[\w ./:;,=?$@%+*()!~#-]*$/;

/** Text as it stands between tags or in quotes. */
export function xmlText(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(UNWRITABLE, ' ').replace(/[&<>"']/g, character => ESCAPES[character]!);
}

/**
 * An element.
 * @param children elements, or text that `xmlText` made; each element on lines of its own
 */
export function element(name: string, attributes: XmlAttributes, children: readonly string[] | string = []): string {
  let given = '';
  for (const key in attributes) {
    const value = attributes[key];
    if (value !== undefined) given += ` ${key}="${typeof value === 'number' ? value : xmlText(value)}"`;
  }
  if (typeof children === 'string') return `<${name}${given}>${children}</${name}>`;
  if (children.length === 0) return `<${name}${given}/>`;
  const inner = children.map(child => `  ${child.replaceAll('\n', '\n  ')}`).join('\n');
  return `<${name}${given}>\n${inner}\n</${name}>`;
}
