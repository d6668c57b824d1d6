/** Width of every chart, in pixels. */
export const WIDTH = 720;

/** A part of a chart: its elements of SVG, and its height in pixels. */
export interface Drawing {
  readonly parts: readonly string[];
  readonly height: number;
}

/** Text whose baseline begins at a point; `attributes` as in SVG. */
export function text(x: number, y: number, content: string, attributes = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped}</text>`;
}

/** A document of the width of every chart. */
export function document(height: number, parts: readonly string[]): string {
  const style = 'font-family="sans-serif" font-size="12"';
  const background = `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ${style}>${background}${parts.join('')}</svg>\n`;
}
