/**
 * Parts a whole number of things by weight: each gets its exact share, rounded down or up. Those that have more than
 * their share already are rounded up first, so that least is moved; then those with the largest claim.
 * @param weights above 0
 * @param held what each has now
 * @param claims beside the fraction of the share, what each is owed from earlier partings
 * @returns whole numbers that add up to `total`
 */
export function quotas(total: number, weights: readonly number[], held: readonly number[], claims?: readonly number[]) {
  const sum = weights.reduce((a, b) => a + b, 0);
  const shares = weights.map(weight => (total * weight) / sum);
  const parts = shares.map(Math.floor);
  const left = total - parts.reduce((a, b) => a + b, 0);
  const claimOf = (i: number) => shares[i]! - parts[i]! + (claims?.[i] ?? 0);
  const keeps = (i: number) => (held[i]! > parts[i]! && shares[i]! > parts[i]! ? 1 : 0);
  const order = parts.map((_, i) => i).sort((a, b) => keeps(b) - keeps(a) || claimOf(b) - claimOf(a) || a - b);
  for (const i of order.slice(0, left)) parts[i]!++;
  return parts;
}
