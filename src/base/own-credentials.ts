/**
 * What Authorization says of requests that an edge makes at its own port for players. The gate notes that field, so
 * that requests without it cost nothing to tell from these.
 */
export function ownCredentials(key: string): string {
  return `Moovedge ${key}`;
}
