/** What rules of access look at in a request. */
export interface AccessRequest {
  /** Octets of the path, one character each, without escapes, and of several slashes one: what servers make of it. */
  readonly path: string;
  /** Value of a query parameter as it stands in the URL, the first of that name; undefined when there is none. */
  parameter(name: string): string | undefined;
  /** A field of the request by name in lower case, '' when there is none. */
  field(name: string): string;
  /** Address of the client. */
  client(): string;
}
