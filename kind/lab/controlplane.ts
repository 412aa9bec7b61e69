// The control plane of one lab: the simulator's API server and built-in controllers in real time,
// with kubelets whose pods are processes. `controlplane.ts NAME` prints one line, the URL for this
// machine, once it answers; nodes reach it over the management network.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { loadAddon } from '../../bpf/native.real.ts';
import { ApiFront } from '../../sim/api/http/front.ts';
import { ApiServer } from '../../sim/api/server.ts';
import { createActors, type Actors } from '../../sim/kube/actors.ts';
import { LiveDriver } from '../../sim/live/driver.real.ts';
import { serveApi } from '../../sim/live/http.real.ts';
import { LiveWorld } from '../../sim/live/live.ts';
import { World } from '../../sim/world.ts';
import { apiPort } from './blueprint.ts';
import { Machine } from './machine.ts';
import { labProgram } from './programs.ts';
import { LabRecord } from './record.ts';
import { LabRuntime } from './runtime.ts';
import type { LabSpec } from './spec.ts';

/** How often the nodes' power is looked at. */
const powerMs = 200;

// What a machine without images to pull and containers to set up needs.
const timings = {
  podStart: 50_000, podReady: 400_000, podSpreadPercent: 20, sliceReaction: 100_000,
} as const;

async function run(name: string): Promise<void> {
  const record = new LabRecord(name);
  const spec = JSON.parse(readFileSync(record.path('spec.json'), 'utf8')) as LabSpec;
  const world = new World({ seed: 0n, epoch: Date.now() * 1000 });
  const api = new ApiServer(world, { freeze: false, serviceCidrs: spec.serviceCidrs });
  api.load(spec.objects);
  const driver = new LiveDriver(new LiveWorld(world, LiveDriver.now()));
  const complain = (text: string): void => {
    appendFileSync(record.path('logs/controlplane.log'), `${new Date().toISOString()} ${text}\n`);
  };
  const runtimes = runtimesOf(record, spec, { complain, driver });
  const actors = createActors(world, api, { runtimes, timings });
  driver.enter({ kind: 'lab.start', entity: 'lab' }, () => actors.start());
  watchPower(runtimes, driver, actors);
  const front = new ApiFront(world, api, { kubernetes: spec.kubernetes });
  const outside = await serveApi(driver, front, { host: '127.0.0.1' });
  await serveApi(driver, front, { listener: managementListener(spec) });
  process.stdout.write(`${outside.url}\n`);
}

function runtimesOf(
  record: LabRecord, spec: LabSpec,
  parts: { readonly complain: (text: string) => void; readonly driver: LiveDriver },
): readonly LabRuntime[] {
  const echo = labProgram('echo');
  if (!echo.ok) throw new Error(echo.error);
  const nodes = spec.blueprint.machines.filter(({ kind }) => kind === 'node');
  return nodes.map((plan) => new LabRuntime({
    record, machine: new Machine(spec.blueprint, plan), echo: echo.value,
    nodeIps: spec.blueprint.cables.filter(({ machine }) => machine === plan.name)
      .flatMap(({ ips }) => ips),
    complain: parts.complain, afterwards: (effect) => parts.driver.afterwards(effect),
  }));
}

function watchPower(runtimes: readonly LabRuntime[], driver: LiveDriver, actors: Actors): void {
  setInterval(() => {
    for (const runtime of runtimes.filter((each) => each.look())) {
      driver.enter({ kind: 'lab.power', entity: runtime.name }, () => actors.wake(runtime.name));
    }
  }, powerMs);
}

/** A listener in the namespace of the management network; this process stays in the machine's. */
function managementListener({ blueprint }: LabSpec): ReturnType<typeof createServer> {
  const addon = loadAddon();
  if (!addon.ok) throw new Error(addon.error.text);
  const control = blueprint.machines.find(({ kind }) => kind === 'control');
  const listener = createServer();
  // Without a host, because a name would be looked up first, when the thread is back already.
  addon.value.netnsCall(
    `/run/netns/${control?.namespace ?? ''}`, () => void listener.listen(apiPort),
  );
  return listener;
}

if (import.meta.main) await run(process.argv[2] ?? '');
