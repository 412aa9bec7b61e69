import test from 'ava';
import type { HealthPort } from '../../lb/healthport.ts';
import { createHealthPorts, type HealthPorts } from '../../lb/healthports.ts';
import type { Service } from '../../lb/model.ts';
import type { ObjectEvent } from '../../lb/ports.ts';
import { processClock } from '../../sim/process.ts';
import { endpoint, everyEndpoint, meta, service, slice } from './fixture.ts';
import { MapRig } from './maprig.ts';

const local = (more: Partial<Service> = {}): Service => service({
  externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000, ...more,
});

/** Tables of a node, and what its listeners were told. */
class Site {
  readonly rig = new MapRig();
  readonly plans: string[] = [];
  readonly events: ObjectEvent[] = [];
  refuse: (port: HealthPort, why: string) => void = () => undefined;
  readonly ports: HealthPorts;

  constructor() {
    const listeners = {
      follow: (wanted: readonly HealthPort[]): void => {
        const texts = wanted.map(({ name, port, localEndpoints }) => (
          `${name}:${port}=${localEndpoints}`
        ));
        this.plans.push(texts.join(' '));
      },
      onRefused: (listener: Site['refuse']): void => {
        this.refuse = listener;
      },
    };
    const events = { emit: (event: ObjectEvent): void => void this.events.push(event) };
    const clock = processClock(this.rig.process);
    this.ports = createHealthPorts({ clock, events, listeners }, this.rig.tables, 'n-a');
  }

  start(): this {
    this.rig.process.enter(() => this.ports.start());
    this.rig.run();
    return this;
  }
}

test('14.3: nothing is opened before both listings are complete', (t) => {
  const site = new Site().start();
  site.rig.tables.services.upsert('default/s', local());
  site.rig.tables.services.markComplete();
  site.rig.run();
  t.deepEqual(site.plans, []);
  site.rig.load([local()], [slice(everyEndpoint)]).run();
  t.deepEqual(site.plans, ['s:32000=1']);
  t.deepEqual(site.ports.pending(), []);
});

test('14.3: a change of endpoints changes the answer, one elsewhere changes nothing', (t) => {
  const site = new Site();
  site.rig.load([local()]);
  site.start();
  site.rig.setSlices([slice([endpoint('a1'), endpoint('b1')])]);
  site.rig.run();
  site.rig.setSlices([slice([endpoint('a1', { ready: false }), endpoint('b1')])]);
  t.deepEqual(site.ports.pending(), ['health check node ports have changes to follow']);
  site.rig.run();
  t.deepEqual(site.plans, ['s:32000=1', 's:32000=0']);
});

const closes = test.macro({
  exec: (t, more: Partial<Service>, plan: string) => {
    const site = new Site();
    site.rig.load([local()]);
    site.start();
    site.rig.setServices([local(more)]);
    site.rig.run();
    t.is(site.plans.at(-1), plan);
  },
  title: (_, more: object, plan) => `14.3: ${Object.keys(more).join()} changed: '${plan}'`,
});

test(closes, { healthCheckNodePort: 32_001 }, 's:32001=1');
test(closes, { type: 'NodePort' }, '');
test(closes, { externalTrafficPolicy: 'Cluster' }, '');
test(closes, { meta: meta('s', { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } }) }, '');

test('14.3: a Service that goes, and the end of the agent, close the port', (t) => {
  const site = new Site();
  site.rig.load([local()]);
  site.start();
  site.rig.setServices([]);
  site.rig.run();
  site.rig.setServices([local()]);
  site.rig.run();
  site.rig.process.enter(() => site.ports.stop());
  site.rig.setSlices([]);
  site.rig.run();
  t.deepEqual(site.plans, ['s:32000=1', '', 's:32000=1', '']);
});

test('V74: endpoints that drain count as none while clients are still served', (t) => {
  const site = new Site();
  const draining = { ready: false, serving: true, terminating: true };
  site.rig.load([local()], [slice([endpoint('a1', draining)])]);
  site.rig.start();
  site.start();
  t.deepEqual(site.plans, ['s:32000=0']);
  t.is(site.rig.ask('X → VIP:80'), '10.64.1.21:8080');
});

test('V74: a refused port is an Event on its Service', (t) => {
  const site = new Site();
  site.rig.load([local()]);
  site.start();
  const port = {
    service: local().key, namespace: 'default', name: 's', port: 32_000, localEndpoints: 1,
  };
  site.refuse(port, '192.0.2.11: EADDRINUSE');
  site.refuse({ ...port, service: 'default/gone' as never }, '192.0.2.11: EADDRINUSE');
  const [event, ...others] = site.events;
  t.deepEqual(others, []);
  t.is(event?.reason, 'FailedToStartServiceHealthcheck');
  t.deepEqual([event?.type, event?.object.uid], ['Warning', 'uid-s']);
  t.regex(event?.message ?? '', /^Node n-a .* port 32000 \(192\.0\.2\.11: EADDRINUSE\)/u);
});
