/** The value of a cookie in a Cookie field (RFC 6265 section 4.2.1); undefined when it is not there. */
export function cookieOf(field: string, name: string): string | undefined {
  for (const each of field.split(';')) {
    const pair = each.trim();
    if (pair.startsWith(name) && pair[name.length] === '=')
      return pair.slice(name.length + 1).replace(/^"(.*)"$/, '$1');
  }
  return undefined;
}

/** A Cookie field without the cookies of one name. */
export function withoutCookie(field: string, name: string): string {
  const kept = field.split(';').filter(each => !each.trim().startsWith(`${name}=`));
  return kept.join(';').trim();
}
