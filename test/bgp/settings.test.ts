import test from 'ava';
import { bgpDefaults, speakerDefaults } from '../../bgp/settings.ts';
import { flattenSettings, readSettings } from '../../settings.ts';
import { nameSettings } from '../../settingtable.ts';

const read = (record: Record<string, unknown>) =>
  readSettings(nameSettings(flattenSettings(record)).values);

test('without settings BGP has its defaults', (t) => {
  t.deepEqual(read({}).settings.bgp, { ...bgpDefaults, speaker: speakerDefaults });
});

test('settings are read by our names, nested or flat, and by Cilium’s', (t) => {
  const { settings: { bgp }, faults } = read({
    bgp: { routerIDAllocation: { mode: 'ip-pool', ipPool: '10.9.0.0/24' }, onTerminate: 'keep' },
    'bgp.drainSeconds': 0, 'enable-bgp-control-plane': false, 'bgp-secrets-namespace': 'secrets',
  });
  t.deepEqual(faults, []);
  t.like(bgp, {
    routerIdMode: 'ip-pool', routerIdPool: '10.9.0.0/24', onTerminate: 'keep', drainSeconds: 0,
    enabled: false, secretsNamespace: 'secrets',
  });
});

const endpoint = test.macro({
  exec: (t, text: unknown, good: boolean) => {
    const { settings, faults } = read({ bgp: { speaker: { endpoints: { main: text } } } });
    t.deepEqual(faults.map(({ path }) => path), good ? [] : ['bgp.speaker.endpoints']);
    t.deepEqual(settings.bgp.speaker.endpoints, good ? { main: text } : {});
  },
  title: (_, text, good) => `a speaker at ${String(text)} is ${good ? 'taken' : 'refused'}`,
});
test(endpoint, 'unix:/run/gobgp.sock', true);
test(endpoint, '127.0.0.1:50051', true);
test(endpoint, '[::1]:50051', true);
test(endpoint, 'localhost:50051', true);
// Its API has no password, so it must not be reached over a network.
test(endpoint, '10.0.0.1:50051', false);
test(endpoint, ':50051', false);
test(endpoint, 'unix:', false);
test(endpoint, 5, false);

const refused = test.macro({
  exec: (t, key: string, value: unknown) => {
    t.deepEqual(read({ [key]: value }).faults.map(({ path }) => path), [key]);
  },
  title: (_, key, value) => `${key} ${String(value)} is refused`,
});
test(refused, 'bgp.deferralSeconds', 0);
test(refused, 'bgp.deferralSeconds', 16);
test(refused, 'bgp.drainSeconds', -1);
test(refused, 'bgp.onTerminate', 'leave');
test(refused, 'bgp.localEndpoints', 'all');
