/** A node as it tells of itself in etcd, for as long as its lease lives. */
export interface Member {
  readonly id: string;
  readonly zone: string;
  readonly weight: number;
  /** Where peers reach it. */
  readonly host: string;
  readonly port: number;
  readonly url: string | undefined;
  /** Tells one run of a node from another with the same id. */
  readonly instance: string;
  /** Of the program. */
  readonly version: string;
}

/** The member as a text. */
export function encodeMember(member: Member): string {
  return JSON.stringify(member);
}

/** The member that a text stands for; undefined when it is none. */
export function decodeMember(text: string): Member | undefined {
  try {
    const { id, zone, weight, host, port, url, instance, version } = JSON.parse(text) as Member;
    const isText = [id, zone, host, instance].every(each => typeof each === 'string' && each !== '');
    if (!isText || !(weight > 0) || !Number.isInteger(port)) return undefined;
    return { id, zone, weight, host, port, url: url ?? undefined, instance, version };
  } catch {
    return undefined;
  }
}

/** Where things stand in etcd. */
export class Keys {
  /** Everything of the cluster. */
  readonly all: string;
  /** A key for each living node, under its lease. */
  readonly members: string;
  /** A key for each node that is to have no films; they outlive the nodes. */
  readonly drains: string;
  /** Who writes maps; under the lease of that node. */
  readonly leader: string;
  readonly map: string;
  /** Somebody wants a map now, without waiting. */
  readonly wish: string;
  /** A key for each live stream: the node that has its publisher, under the lease of that. */
  readonly claims: string;
  /** A key for each purge, and up to which revision they are not kept any more. */
  readonly purges: string;
  readonly purgedUpTo: string;

  /** @param prefix without a slash at its end */
  constructor(prefix: string) {
    this.all = `${prefix}/`;
    this.members = `${prefix}/nodes/`;
    this.drains = `${prefix}/drains/`;
    this.leader = `${prefix}/leader`;
    this.map = `${prefix}/map`;
    this.wish = `${prefix}/wish`;
    this.claims = `${prefix}/live/`;
    this.purges = `${prefix}/purges/`;
    this.purgedUpTo = `${prefix}/purged-up-to`;
  }

  member(id: string): string {
    return this.members + id;
  }

  claim(name: string): string {
    return this.claims + name;
  }

  drain(id: string): string {
    return this.drains + id;
  }
}
