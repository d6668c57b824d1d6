const CENSORED = '[redacted]';

/** Keys of log fields whose values are secrets, at any depth. */
const SECRET_FIELD =
  /("(?:[\w-]*(?:token|secret|password|passphrase)[\w-]*|authorization|proxy-authorization|cookie|set-cookie|accessKeyId|secretAccessKey)":)"(?:[^"\\]|\\.)*"/gi;
/** Parameters of signed URLs. */
const SECRET_PARAMETER =
  /([?&](?:X-Amz-(?:Signature|Credential|Security-Token)|[\w-]*(?:token|sig|signature|secret|password|apikey|api_key)[\w-]*)=)[^&#\s"\\]+/gi;
/** The user part of a URL. */
const USER_INFO = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/?#"\\@]+@/gi;
const BEARER = /\b(Bearer|Basic) [\w.~+/=-]+/g;

/** `line` (JSON or plain text) without the secrets that fields, URLs and header values may hold. */
export function redact(line: string): string {
  return redactUrl(line).replace(SECRET_FIELD, `$1"${CENSORED}"`).replace(BEARER, `$1 ${CENSORED}`);
}

/** `text` in which URLs bear neither user names nor values of signing parameters. */
export function redactUrl(text: string): string {
  return text.replace(USER_INFO, `$1${CENSORED}@`).replace(SECRET_PARAMETER, `$1${CENSORED}`);
}
