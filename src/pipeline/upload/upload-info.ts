/** What a client said of a file before it sent it, and when. Stored once. */
export interface UploadInfo {
  /** Bytes. */
  readonly size: number;
  /** As the client gave it, such as `filename`; not to be trusted. */
  readonly metadata: Readonly<Record<string, string | null>>;
  /** Time of its creation, as ISO 8601 has it. */
  readonly created: string;
  /** Name of the token that it was created with; empty where there are none. */
  readonly owner: string;
}

/** What JSON says of an upload; undefined when it is not what was stored. */
export function readUploadInfo(value: unknown): UploadInfo | undefined {
  const { size, metadata, created, owner } = (value ?? {}) as Partial<UploadInfo>;
  const isGood =
    Number.isSafeInteger(size) &&
    size! > 0 &&
    typeof metadata === 'object' &&
    metadata !== null &&
    typeof created === 'string' &&
    !Number.isNaN(Date.parse(created));
  return isGood ? { size: size!, metadata, created, owner: owner ?? '' } : undefined;
}
