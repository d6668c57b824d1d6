import { clusterSchema } from '../../src/config/cluster-schema.js';

const { partitions, warmUp } = clusterSchema.parse({ node: { id: 'a' }, listen: { host: '127.0.0.1' } });

/** What a cluster does unless it is told otherwise. */
export const CLUSTER_DEFAULTS = { partitions, shares: warmUp.share };
