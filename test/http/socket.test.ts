import test, { type ExecutionContext } from 'ava';
import { ApiFront } from '../../sim/api/http/front.ts';
import { LiveDriver } from '../../sim/live/driver.real.ts';
import { serveApi } from '../../sim/live/http.real.ts';
import { LiveWorld } from '../../sim/live/live.ts';
import { place } from './place.ts';

const maps = '/api/v1/namespaces/default/configmaps';

async function served(t: ExecutionContext) {
  const { world, server } = place();
  const live = new LiveWorld(world, LiveDriver.now());
  const driver = new LiveDriver(live);
  const front = new ApiFront(world, server, { frozen: () => live.frozen });
  const api = await serveApi(driver, front);
  t.teardown(() => api.close());
  const post = (name: string, more: object = {}) => fetch(`${api.url}${maps}`, {
    method: 'POST', body: JSON.stringify({ metadata: { name }, ...more }),
  });
  return { api, driver, live, post };
}

function textOf({ value }: { value?: Uint8Array | undefined }): string {
  return Buffer.from(value!).toString();
}

test('requests and a watch work over a socket', async (t) => {
  const { api, post } = await served(t);
  const response = await fetch(`${api.url}${maps}?watch=true`);
  const reader = response.body!.getReader();
  t.is((await post('a', { data: { text: 'ä€𝄞' } })).status, 201);
  const event = JSON.parse(textOf(await reader.read()));
  await reader.cancel();
  t.deepEqual([event.type, event.object.data.text], ['ADDED', 'ä€𝄞']);
});

test('a body beyond the bound is refused with 413, a malformed path with 400', async (t) => {
  const { api, post } = await served(t);
  const large = await post('a', { data: { x: 'x'.repeat(4_000_000) } });
  t.is(large.status, 413);
  t.is((await fetch(`${api.url}/api/v1/%E0%A4`)).status, 400);
});

test('while time stands still requests are served and watches are silent', async (t) => {
  const { api, driver, live, post } = await served(t);
  driver.pace((paced, now) => { paced.pause(now); });
  const at = live.world.now;
  const response = await fetch(`${api.url}${maps}?watch=true`);
  const reader = response.body!.getReader();
  const first = reader.read();
  t.is((await post('a')).status, 201);
  t.is((await fetch(`${api.url}${maps}/a`)).status, 200);
  t.is((await fetch(`${api.url}${maps}?resourceVersion=900`)).status, 504);
  t.is(live.world.now, at);
  let heard = false;
  const told = first.then((piece) => {
    heard = true;
    return textOf(piece);
  });
  t.false(heard);
  driver.pace((paced, now) => { paced.resume(now); });
  t.regex(await told, /"type":"ADDED"/);
  await reader.cancel();
});

test('a closed server refuses connections', async (t) => {
  const { api } = await served(t);
  await api.close();
  await t.throwsAsync(fetch(api.url));
});
