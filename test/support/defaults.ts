import { defaultConfig } from '../../src/config/schema.js';

const { http, delivery, cache, catalog, freshness, media } = defaultConfig();

/** Options of modules as the edge gives them when no setting is set; what a test is about stands in the test. */
export const DEFAULTS = {
  memoryTier: { fillShare: cache.memory.fillShare, verify: cache.memory.verify },
  blockLoader: { readAhead: cache.readAhead, wholeMax: cache.wholeMax },
  catalog: {
    memory: catalog.memory,
    freshness,
    honourRequestDirectives: freshness.honourRequestDirectives,
    setCookie: freshness.setCookie,
  },
  planner: { indexMemory: media.indexMemory, indexTime: media.indexTime },
  http: {
    cors: http.cors,
    range: http.range,
    maxUrlLength: http.maxUrlLength,
    dropQuery: http.dropQuery,
    stallTimeout: delivery.stallTimeout,
  },
};
