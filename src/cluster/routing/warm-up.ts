/** What a seldom watched film gets, as a multiple of the share that is set. */
const SELDOM = 2;
/** Views at a replica, within the time that films stay cached, that have it there with 95 %: 1 - exp(-3). */
const ENOUGH = 3;
/** Most of a film's viewers that warm replicas, where what is set does not say more. */
const MOST = 0.5;

/**
 * By how much the shares of viewers who warm replicas are multiplied for a film. A film that many watch is at its
 * replicas with a fraction of that share, and one that few watch needs more: so the former give what the latter get,
 * and all together about as many viewers are sent to replicas as is set.
 * @param shares that are set, for the first, the second … replica
 * @param views of the film in the whole cluster while it stays cached, as far as is known
 */
export function warmUpFactor(shares: readonly number[], views: number): number {
  const [first = 0] = shares;
  const sum = shares.reduce((total, share) => total + share, 0);
  if (first === 0) return 1;
  const most = Math.max(1, Math.min(SELDOM, MOST / sum));
  return Math.min(most, ENOUGH / (views * first));
}
