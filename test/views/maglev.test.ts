import test from 'ava';
import { printShares, printTables } from '../../cli/maglevviews.ts';
import { endpoint, everyEndpoint, service, slice } from '../datapath/fixture.ts';
import { MapRig } from '../datapath/maprig.ts';
import { shown } from './maps.ts';

const filled = (more: Parameters<typeof service>[0] = {}, endpoints = everyEndpoint) => (
  new MapRig({ options: { algorithm: 'maglev' } }).load([service(more)], [slice(endpoints)])
    .start().run().kernel
);
const asked = { service: '198.51.100.10:80/TCP', key: undefined, hashSeed: 0x666c6c64 };

test('maglev list names each table; the local one only where a policy asks it', async (t) => {
  t.is((await shown(printTables, filled(), {})).out, `NODE   SVC   SCOPE     SIZE
n-a    1     cluster   16381
`);
  t.is((await shown(printTables, filled({ internalTrafficPolicy: 'Local' }), {})).out,
    `NODE   SVC   SCOPE     SIZE
n-a    1     cluster   16381
n-a    1     local     16381
`);
});

test('maglev get counts the slots of each endpoint', async (t) => {
  const local = filled({ externalTrafficPolicy: 'Local' });
  t.is((await shown(printShares, local, asked)).out,
    `NODE   SVC   SCOPE     SIZE    ENDPOINT          SLOTS   SHARE
n-a    1     cluster   16381   10.64.1.21:8080   5461    33.3 %
                               10.64.2.21:8080   5460    33.3 %
                               10.64.3.21:8080   5460    33.3 %
n-a    1     local     16381   10.64.1.21:8080   16381   100.0 %
`);
});

test('V57, V66: --key says which endpoint a client gets', async (t) => {
  const selected = async (more: Parameters<typeof service>[0]): Promise<string> => {
    const flags = { ...asked, key: '203.0.113.7:40000', headers: false };
    const { out } = await shown(printShares, filled(more), flags);
    return out.split('\n').filter((line) => line.endsWith('yes')).join().split(/ {3,}/u)[4]!;
  };
  t.is(await selected({}), '10.64.3.21:8080');
  t.is(await selected({ affinitySeconds: 10 }), '10.64.2.21:8080');
});

test('an id asks as a frontend does; what has no table is not there', async (t) => {
  const byFront = await shown(printShares, filled(), asked);
  t.deepEqual(await shown(printShares, filled(), { ...asked, service: '1' }), byFront);
  const random = new MapRig().load().start().run().kernel;
  await t.throwsAsync(shown(printShares, random, asked), {
    message: 'a Maglev table of 198.51.100.10:80/TCP is not there',
  });
  await t.throwsAsync(shown(printShares, filled(), { ...asked, service: '9' }));
});

test('a service port without endpoints has no table', async (t) => {
  const maps = filled({}, [endpoint('a1', { ready: false })]);
  t.is((await shown(printTables, maps, { headers: false })).out, '');
});

const refusedKey = test.macro({
  exec: async (t, more: { key: string; service?: string }, sentence: RegExp) => {
    await t.throwsAsync(shown(printShares, filled(), { ...asked, ...more }), { message: sentence });
  },
  title: (_, { key, service: of = '' }) => `--key ${key} ${of} is wrong usage`,
});

test(refusedKey, { key: '203.0.113.7' }, /no client/u);
test(refusedKey, { key: '203.0.113.7:65536' }, /no client/u);
test(refusedKey, { key: '203.0.113.07:1' }, /no client/u);
test(refusedKey, { key: '[2001:db8::7:40112' }, /no client/u);
test(refusedKey, { key: '203.0.113.7:1', service: '1' }, /needs a frontend/u);
test(refusedKey, { key: '203.0.113.7:1', service: '*:30080/TCP' }, /NodePort has no address/u);
