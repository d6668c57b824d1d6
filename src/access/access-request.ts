/** What rules of access look at in a request. */
export interface AccessRequest {
  readonly method: string;
  /** Host in lower case, without port. */
  readonly host: string;
  /** Path and query as they came, and the query alone. */
  readonly url: string;
  readonly query: string;
  /** Octets of the path, one character each, without escapes, and of several slashes one: what servers make of it. */
  readonly path: string;
  /** Value of a query parameter as it stands in the URL, the first of that name; undefined when there is none. */
  parameter(name: string): string | undefined;
  /** A field of the request by name in lower case, '' when there is none. */
  field(name: string): string;
  /** Address of the client. */
  client(): string;
}

/** Why a request is not let in, for the log; undefined when it is. */
export type Denial = string | undefined;
