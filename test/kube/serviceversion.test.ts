import test from 'ava';
import { createDecoder } from '../../kube/decode.ts';
import type { Service } from '../../lb/model.ts';
import { sameForNodes } from '../../kube/serviceversion.ts';

const condition = { type: 'fairlead.dev/Announced', status: 'True', reason: 'Announced' };

interface Parts {
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

function service({ metadata = {}, spec = {}, status = {} }: Parts): Service {
  const decoded = createDecoder().service({
    metadata: { name: 's', namespace: 'n', uid: 'u', resourceVersion: '7', ...metadata },
    spec: { ports: [{ name: 'http', port: 80 }], selector: { app: 's' }, ...spec },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] }, ...status },
  } as never);
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.error));
  return decoded.value;
}

const tells = test.macro({
  exec: (t, change: Parts, same: boolean) => t.is(sameForNodes(service({}), service(change)), same),
  title: (_, change, same) => `${JSON.stringify(change)} is ${same ? 'no' : 'a'} change for nodes`,
});

test(tells, {}, true);
test(tells, { metadata: { resourceVersion: '8' } }, true);
test(tells, { status: { conditions: [condition] } }, true);
test(tells, { status: { conditions: [condition], loadBalancer: {} } }, false);
test(tells, { status: { loadBalancer: { ingress: [{ ip: '192.0.2.2' }] } } }, false);
test(tells, { metadata: { uid: 'v' } }, false);
test(tells, { metadata: { labels: { color: 'blue' } } }, false);
test(tells, { metadata: { annotations: { 'fairlead.dev/lb-algorithm': 'maglev' } } }, false);
test(tells, { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }, false);
test(tells, { spec: { ports: [{ name: 'http', port: 81 }] } }, false);
test(tells, { spec: { externalTrafficPolicy: 'Local' } }, false);
test(tells, { spec: { selector: { app: 't' } } }, false);
test(tells, { spec: { ports: 'none' } }, false); // a fault counts as well
