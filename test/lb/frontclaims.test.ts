import test from 'ava';
import { FrontClaims, frontConflictCondition } from '../../lb/frontclaims.ts';
import { ip } from '../../lb/ip.ts';
import { serviceKey, type Service, type ServiceKey } from '../../lb/model.ts';
import { deriveServicePorts, DerivationMemo } from '../../lb/serviceport.ts';
import { meta, service } from '../datapath/fixture.ts';

function named(name: string, createdAtMs: number, fields: Partial<Service> = {}): Service {
  return service({
    meta: meta(name, { namespace: 'shop', createdAtMs }), key: serviceKey('shop', name),
    type: 'NodePort', clusterIps: [`10.200.1.${createdAtMs}`], externalIps: ['192.0.2.250'],
    ports: [{ name: 'web', protocol: 'TCP', port: 80, nodePort: 30_080 }], ingress: [], ...fields,
  });
}

function recordsOf(of: Service) {
  return deriveServicePorts(of, [], {
    place: { nodeName: '', zone: undefined }, algorithm: 'random', memo: new DerivationMemo('one'),
  });
}

const key = (name: string): ServiceKey => serviceKey('shop', name);
const lost = (claims: FrontClaims, name: string) => (
  claims.lostBy(key(name)).map(({ front, winner }) => `${front} to ${winner}`)
);

test('of two Services that ask for a front the older one has it, whoever came first', (t) => {
  for (const order of [['a', 'b'], ['b', 'a']]) {
    const claims = new FrontClaims(() => true);
    const services = { a: named('a', 5), b: named('b', 6) };
    for (const name of order) claims.set(key(name), recordsOf(services[name as 'a' | 'b']));
    t.deepEqual(lost(claims, 'a'), []);
    t.deepEqual(lost(claims, 'b'), ['192.0.2.250:80/TCP to shop/a', 'node:30080/TCP to shop/a']);
    t.regex(frontConflictCondition(claims.lostBy(key('b')), 1)!.message, /^192.0.2.250:80\/TCP/u);
  }
});

test('whoever is concerned by a change is told, and a front that is free again is nobody’s loss', (t) => {
  const claims = new FrontClaims(() => true);
  claims.set(key('a'), recordsOf(named('a', 5)));
  t.deepEqual(claims.set(key('b'), recordsOf(named('b', 6))), new Set([key('b'), key('a')]));
  t.deepEqual(claims.set(key('a'), []), new Set([key('a'), key('b')]));
  t.deepEqual(lost(claims, 'b'), []);
  t.is(frontConflictCondition(claims.lostBy(key('b')), 1), undefined);
});

test('an ExternalIP that no node serves is no front', (t) => {
  const claims = new FrontClaims((address) => address !== ip('192.0.2.250'));
  for (const [name, age] of [['a', 5], ['b', 6]] as const) {
    claims.set(key(name), recordsOf(named(name, age)));
  }
  t.deepEqual(lost(claims, 'b'), ['node:30080/TCP to shop/a']);
});
