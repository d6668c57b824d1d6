/**
 * True when `host` (in lower case, without port) is what `pattern` says: a host name, or `*.domain` for every name
 * below a domain.
 */
export function matchesHost(pattern: string, host: string): boolean {
  return pattern.startsWith('*.')
    ? host.length > pattern.length - 1 && host.endsWith(pattern.slice(1))
    : host === pattern;
}
