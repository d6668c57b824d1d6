const CENSORED = '[redacted]';

/** Names of fields, header fields and query parameters whose values are secrets. */
const SECRET_NAME =
  /token|secret|passw|passphrase|signature|credential|cookie|authorization|api-?_?key|accesskeyid|^sig$/i;
/** Names of query parameters, beside those, that sign URLs or let somebody in. */
const SECRET_PARAMETER =
  /accessid|key-pair-id|hmac|jwt|session|^(sign|auth|key|pass|pwd|pw|policy|md5|hash|hdn\w*|verify|code)$/i;

// Each expression takes time in proportion to the text, whatever it holds: players choose what stands in URLs.
const FIELD = /"([\w-]{1,64})":"(?:[^"\\]|\\.)*"/g;
const PARAMETER = /([?&])([\w.~-]{1,64})=((?:[^&#\s"\\]|\\.)+)/g;
/** The user part of a URL, which may lack its scheme, as in a Location; up to the last `@` of its authority. */
const USER_INFO = /((?:\b[a-z][a-z0-9+.-]{0,15}:|(?<=^|[\s"'=(]))\/\/)[^\s/?#"\\]+@/gi;
const CREDENTIALS = /\b(Bearer|Basic) [\w.~+/=-]+/g;

/** `line` (JSON or plain text) without the secrets that fields, URLs and header values may hold. */
export function redact(line: string): string {
  return redactUrl(line)
    .replace(FIELD, (field, name: string) => (SECRET_NAME.test(name) ? `"${name}":"${CENSORED}"` : field))
    .replace(CREDENTIALS, `$1 ${CENSORED}`);
}

/**
 * `text` in which URLs bear neither user names nor values of signing parameters.
 * @param names further parameters that sign
 */
export function redactUrl(text: string, names?: ReadonlySet<string>): string {
  return text
    .replace(USER_INFO, `$1${CENSORED}@`)
    .replace(PARAMETER, (all, before: string, name: string) =>
      SECRET_NAME.test(name) || SECRET_PARAMETER.test(name) || names?.has(name) ? `${before}${name}=${CENSORED}` : all,
    );
}
