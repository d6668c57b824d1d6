/** A file of which no film can be made, however often it is tried; `message` is for the user who sent it. */
export class RefusedSource extends Error {
  override readonly name = 'RefusedSource';
}
