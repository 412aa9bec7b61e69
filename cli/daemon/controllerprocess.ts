import { uptime } from 'node:os';
import { setTimeout as after } from 'node:timers/promises';
import { createController } from '../../controller.ts';
import { realClock } from '../../bpf/clock.real.ts';
import { createDecoder } from '../../kube/decode.ts';
import { realRandom } from '../../lb/random.real.ts';
import { CommandEnd, exitCodes } from '../exit.ts';
import { kubeClient } from './kubeclient.ts';
import type { Surroundings } from './lives.ts';
import { meteredKube } from './meteredkube.ts';
import { serveMetrics } from './metricsserver.ts';
import { serveProbes } from './probes.ts';
import { showController, showProcess } from './shown.ts';
import { placeOf } from './values.ts';

/** Time for the request that gives up leadership. */
const farewellMs = 1_000;

/** One life of a replica of the controller. */
export async function liveAsController(at: Surroundings): Promise<void> {
  const { log, pulse, meters, nodeName, configuration: { values, settings } } = at;
  const kube = kubeClient(values, at.env);
  if (!kube.ok) throw new CommandEnd(exitCodes.unreachable, kube.error);
  // The boot clock is for fences, which a controller has none of.
  const clock = realClock({ bootNs: () => BigInt(Math.round(uptime() * 1e9)) });
  const identity = `${nodeName}_${realRandom.below(2 ** 32).toString(16).padStart(8, '0')}`;
  const controller = createController({
    clock, random: realRandom, journal: log, decoder: createDecoder(),
    kube: meteredKube(kube.value, meters.take),
  }, {
    identity, namespace: settings.namespace, leader: settings.leader, ipam: settings.ipam,
    l2Enabled: settings.l2.enabled, ignoreExcludeLabel: settings.l2.ignoreExcludeLabel,
    externalIps: settings.datapath.externalIps, bgp: settings.bgp,
  });
  const place = placeOf(values['health.address'] ?? ':9475');
  const probes = place === undefined ? undefined : serveProbes({
    place, journal: log,
    probes: { '/livez': pulse.probe, '/readyz': () => controller.pending()[0] },
  });
  meters.showFrom(showProcess(at.watch), showController(controller));
  const scraped = placeOf(values['metrics.address'] ?? ':9473');
  const metrics = scraped === undefined ? undefined : serveMetrics(scraped, meters, log);
  at.onChange(({ configuration }) => controller.limitWrites(configuration.settings.ipam));
  controller.start();
  log.note({
    level: 'info', component: 'controller', code: 'controller.started',
    text: `controller ${identity} started`,
  });
  await at.end;
  controller.stop();
  await after(farewellMs);
  probes?.close();
  metrics?.close();
  kube.value.close();
}
