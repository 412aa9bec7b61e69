import type { ApiFault, ApiScope } from '../api/path.ts';
import type { Reader } from '../scenario/reader.ts';
import type { FaultKind } from './fault.ts';

// `node: node-2` or `clients: [controller/node-1, node-2]`, verbs and kinds.
function readScope(parameters: Reader): ApiScope {
  const node = parameters.text('node');
  const clients = [...parameters.texts('clients'), ...(node === undefined ? [] : [node])];
  const verbs = parameters.texts('verbs');
  const kinds = parameters.texts('kinds');
  return {
    ...(clients.length > 0 ? { clients } : {}),
    ...(verbs.length > 0 ? { verbs } : {}),
    ...(kinds.length > 0 ? { kinds } : {}),
  };
}

function injected(read: (parameters: Reader) => ApiFault): FaultKind {
  return {
    prepare(parameters) {
      const fault = read(parameters);
      return (cluster) => cluster.path.inject(fault);
    },
  };
}

/** Faults of the API server and the way to it (simulator.md 8). */
export const apiFaults: Readonly<Record<string, FaultKind>> = {
  'api.outage': injected((parameters) => ({
    kind: 'outage',
    form: parameters.oneOf('form', ['refuse', 'blackhole', 'reset']) ?? 'refuse',
  })),
  'api.slow': injected((parameters) => ({
    kind: 'slow',
    min: parameters.duration('min') ?? 0,
    mean: parameters.duration('mean') ?? 0,
    ...readScope(parameters),
  })),
  'api.error': injected((parameters) => ({
    kind: 'error',
    status: parameters.count('status') ?? 500,
    ppm: parameters.ratio('ratio') ?? 1_000_000,
    ...readScope(parameters),
  })),
  'api.lostReply': injected((parameters) => ({
    kind: 'lostReply',
    ppm: parameters.ratio('ratio') ?? 1_000_000,
    form: parameters.oneOf('form', ['silence', 'reset']) ?? 'silence',
    ...readScope(parameters),
  })),
  'api.stale': injected((parameters) => {
    const { clients } = readScope(parameters);
    const lag = parameters.duration('lag') ?? 5_000_000;
    return { kind: 'stale', lag, ...(clients === undefined ? {} : { clients }) };
  }),
  'api.watchStall': injected((parameters) => ({ kind: 'watchStall', ...readScope(parameters) })),
  'api.conflict': injected((parameters) => ({
    kind: 'conflict',
    ppm: parameters.ratio('ratio') ?? 100_000,
    ...readScope(parameters),
  })),
  /** Every watch in the scope ends now. */
  'api.watchDrop': {
    prepare(parameters) {
      const form = parameters.oneOf('form', ['cut', 'close']) ?? 'cut';
      const scope = readScope(parameters);
      return (cluster) => {
        cluster.path.dropWatches(scope, form);
        return () => undefined;
      };
    },
  },
  /** Every watch closes, as when the leader of the store changes. */
  'api.leaderChange': {
    prepare() {
      return (cluster) => {
        cluster.path.dropWatches({}, 'close');
        return () => undefined;
      };
    },
  },
  /** Watches are cut and their versions compacted: what happened between is never seen. */
  'api.unobserved': {
    prepare(parameters) {
      const scope = readScope(parameters);
      return (cluster) => {
        cluster.path.dropWatches(scope, 'cut');
        cluster.api.compact();
        return () => undefined;
      };
    },
  },
  /** Old versions are gone: watches and lists from them answer 410. */
  'api.compact': {
    prepare() {
      return (cluster) => {
        cluster.api.compact();
        return () => undefined;
      };
    },
  },
};
