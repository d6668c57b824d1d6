/** Where a stream is. */
export interface StreamPlace {
  /** APP/NAME. */
  readonly name: string;
  /** The file of its ring. */
  readonly file: string;
  /** Another one for each ring that is made. */
  readonly id: number;
  /** Links between the server to which it is published and this one: 0 there; undefined while that is not known. */
  readonly level?: number | undefined;
}
