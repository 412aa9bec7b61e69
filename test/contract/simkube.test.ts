import { clientRig } from '../api/fixture.ts';
import type { ApiFault } from '../../sim/api/path.ts';
import { kubeContract, type KubeStrike } from './kube.ts';

const always = 1_000_000;

function faultOf(strike: KubeStrike): ApiFault {
  switch (strike.kind) {
    case 'refuse': return { kind: 'outage', form: 'refuse' };
    case 'lost': return { kind: 'lostReply', ppm: always, form: strike.form };
    case 'status': return { kind: 'error', status: strike.status, ppm: always };
  }
}

kubeContract({
  name: 'simulated API',
  with: async (body) => {
    const at = clientRig();
    let now = 0;
    const until = (ms: number): void => {
      now = ms;
      at.until(now);
    };
    await body({
      kube: at.kube, server: at.server,
      pass: (done) => {
        for (let steps = 0; steps < 1000 && !done(); steps += 1) until(now + 2);
        return Promise.resolve();
      },
      skip: (seconds) => {
        until(now + seconds * 1000);
        return Promise.resolve();
      },
      strike: (strike) => {
        const heal = at.path.inject(faultOf(strike));
        return Promise.resolve(() => {
          heal();
          return Promise.resolve();
        });
      },
      drop: (form) => { at.path.dropWatches({}, form); },
    });
  },
});
