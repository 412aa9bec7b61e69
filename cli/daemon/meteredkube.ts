import type { KubeError, KubePort, KubeRequest } from '../../kube/port.ts';
import type { Sample } from '../../lb/ports.ts';

const codes: Readonly<Record<KubeError['kind'], string>> = {
  conflict: '409', exists: '409', gone: '404', expired: '410', invalid: '422', denied: '403',
  throttled: '429', server: '500', unreachable: '0', 'unknown-outcome': '0',
};

/** Counts what a process asks of the API; code 0 is no answer. */
export function meteredKube(kube: KubePort, take: (sample: Sample) => void): KubePort {
  const seen = new Set<string>();
  const count = (name: string, labels: Readonly<Record<string, string>>): void => (
    take({ name, value: 1, labels })
  );
  const again = (name: string, kind: string): void => {
    if (seen.has(`${name} ${kind}`)) count(name, { kind });
    seen.add(`${name} ${kind}`);
  };
  return {
    request(request, done) {
      const { verb } = request;
      const kind = kindOf(request);
      // A reflector that knocks asks for nothing of a list.
      const knock = verb === 'list' && request.options.labelSelector?.includes('knock') === true;
      if (verb === 'list' && !knock) again('watch_relists_total', kind);
      kube.request(request, (result) => {
        const code = result.ok ? (verb === 'create' ? '201' : '200') : codes[result.error.kind];
        count('api_requests_total', { verb, kind, code });
        done(result);
      });
    },
    watch(request, sink) {
      const { kind } = request.resource;
      again('watch_restarts_total', kind);
      count('api_requests_total', { verb: 'watch', kind, code: '200' });
      return kube.watch(request, sink);
    },
  };
}

function kindOf(request: KubeRequest): string {
  return ('resource' in request ? request.resource : request.ref.resource).kind;
}
