/** Where a stream is. */
export interface StreamPlace {
  /** APP/NAME. */
  readonly name: string;
  /** The file of its ring. */
  readonly file: string;
  /** Another one for each ring that is made. */
  readonly id: number;
  /** It is published elsewhere, and pulled from there. */
  readonly isPulled?: boolean;
}
