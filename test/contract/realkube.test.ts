import { setTimeout as sleep } from 'node:timers/promises';
import { ApiFront } from '../../sim/api/http/front.ts';
import { ApiServer } from '../../sim/api/server.ts';
import { LiveDriver } from '../../sim/live/driver.real.ts';
import { serveApi } from '../../sim/live/http.real.ts';
import { LiveWorld } from '../../sim/live/live.ts';
import { World } from '../../sim/world.ts';
import { FaultProxy, type Mischief } from '../kube/faultproxy.ts';
import { client } from '../kube/rawserver.ts';
import { kubeContract, type KubeBench, type KubeStrike } from './kube.ts';

function mischiefOf(strike: KubeStrike): Mischief {
  switch (strike.kind) {
    case 'refuse': return {};
    case 'lost': return { fate: () => ({ kind: strike.form, served: true }) };
    case 'status': return { fate: () => ({ kind: 'status', status: strike.status }) };
  }
}

/** The front of the API on a socket, the proxy on another, and the adapter. */
async function withBench(
  expiredWatch: 'event' | 'status', body: (bench: KubeBench) => Promise<void>,
): Promise<void> {
  const world = new World({ seed: 1n });
  const server = new ApiServer(world, { freeze: true });
  const driver = new LiveDriver(new LiveWorld(world, LiveDriver.now()));
  const api = await serveApi(driver, new ApiFront(world, server, { expiredWatch }));
  const proxy = await FaultProxy.listen(api.url);
  const kube = client([`http://${proxy.address}`]);
  try {
    await body({
      kube, server,
      // What the test writes by hand makes events that nobody else would bring about.
      pass: async (done) => {
        for (let turns = 0; turns < 3000 && !done(); turns += 1) {
          driver.pace(() => undefined);
          await sleep(1);
        }
      },
      skip: (seconds) => new Promise((resolve) => {
        driver.pace((live) => live.hurry({
          until: world.now + seconds * 1_000_000, done: () => { resolve(); },
        }));
      }),
      strike: async (strike) => {
        proxy.mischief = mischiefOf(strike);
        if (strike.kind === 'refuse') proxy.close();
        return async () => {
          proxy.mischief = {};
          if (strike.kind === 'refuse') await proxy.open();
        };
      },
      drop: (form) => { proxy.dropStreams(form); },
    });
  } finally {
    kube.close();
    proxy.close();
    await api.close();
  }
}

kubeContract({ name: 'API over HTTP', with: (body) => withBench('event', body) });
kubeContract({ name: 'API over HTTP, 410 as a status', with: (body) => withBench('status', body) });
