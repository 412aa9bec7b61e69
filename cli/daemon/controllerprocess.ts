import { hostname, uptime } from 'node:os';
import { createController } from '../../controller.ts';
import { realClock } from '../../bpf/clock.real.ts';
import { createDecoder } from '../../kube/decode.ts';
import { realRandom } from '../../lb/random.real.ts';
import { CommandEnd, exitCodes } from '../exit.ts';
import type { Session } from '../session.ts';
import type { Configuration } from './configuration.ts';
import { kubeClient } from './kubeclient.ts';
import { logOf } from './log.ts';
import { Pulse, serveProbes } from './probes.ts';
import { stopSignal } from './stopsignal.ts';
import { placeOf, textOf } from './values.ts';

/** Time for the request that gives up leadership. */
const farewellMs = 1_000;

/** Runs one replica of the controller until a signal ends it. */
export async function runController(session: Session, of: Configuration): Promise<void> {
  const { console } = session;
  const { values, settings } = of;
  const node = textOf(values['nodeName']) ?? hostname();
  const log = logOf(console, { values, node });
  for (const text of of.warnings) {
    log.note({ level: 'warn', component: 'config', code: 'config.clamped', text });
  }
  const kube = kubeClient(values, console.env);
  if (!kube.ok) throw new CommandEnd(exitCodes.unreachable, kube.error);
  // The boot clock is for fences, which a controller has none of.
  const clock = realClock({ bootNs: () => BigInt(Math.round(uptime() * 1e9)) });
  const identity = `${node}_${realRandom.below(0xffff_ffff).toString(16).padStart(8, '0')}`;
  const controller = createController({
    clock, random: realRandom, journal: log, kube: kube.value, decoder: createDecoder(),
  }, {
    identity, namespace: settings.namespace, leader: settings.leader, ipam: settings.ipam,
    l2Enabled: settings.l2.enabled, ignoreExcludeLabel: settings.l2.ignoreExcludeLabel,
    externalIps: settings.datapath.externalIps,
  });
  const pulse = new Pulse();
  const place = placeOf(values['health.address'] ?? ':9475');
  const probes = place === undefined ? undefined : serveProbes({
    place, journal: log,
    probes: { '/livez': pulse.probe, '/readyz': () => controller.pending()[0] },
  });
  const stop = stopSignal();
  controller.start();
  log.note({
    level: 'info', component: 'controller', code: 'controller.started',
    text: `controller ${identity} started`,
  });
  const signal = await stop;
  controller.stop();
  await new Promise((resolve) => { setTimeout(resolve, farewellMs); });
  probes?.close();
  pulse.stop();
  kube.value.close();
  log.note({
    level: 'info', component: 'controller', code: 'controller.stopped', text: `ended by ${signal}`,
  });
}
