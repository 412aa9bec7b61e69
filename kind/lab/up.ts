import { err, type Result } from '../../lb/result.ts';
import { join } from 'node:path';
import { Lab } from './lab.ts';
import type { Machine } from './machine.ts';
import { startIn } from './site.ts';
import type { LabSpec } from './spec.ts';

/** Told of each step when it is done. */
export type Progress = (step: {
  readonly name: string; readonly detail: string; readonly seconds: number;
}) => void;

const agentPort = 9474;
const controllerPort = 9475;
const readyMs = 60_000;

/** Makes a lab and everything that runs in it; what fails takes all of it down again. */
export async function bringUp(spec: LabSpec, progress: Progress): Promise<Result<Lab, string>> {
  const since = stopwatch();
  const made = await Lab.make(spec);
  if (!made.ok) return made;
  const lab = made.value;
  try {
    const namespaces = spec.blueprint.machines.map(({ namespace }) => namespace);
    progress({ name: 'namespaces', detail: namespaces.join(' '), seconds: since() });
    const routers = lab.startRouters();
    if (!routers.ok) throw new Error(routers.error);
    const url = await lab.startControlPlane();
    progress({ name: 'api server', detail: url, seconds: since() });
    lab.startController();
    for (const node of lab.nodes) lab.startAgent(node.name);
    await controllerReady(lab);
    progress({ name: 'controller', detail: 'ready', seconds: since() });
    await Promise.all(lab.nodes.map((node) => agentReady(lab, node)));
    progress({ name: 'agents', detail: `${lab.nodes.length} ready`, seconds: since() });
    return made;
  } catch (error) {
    await lab.down();
    return err(error instanceof Error ? error.message : String(error));
  }
}

/** Waits until the agent of a node serves and announces. */
export function agentReady(lab: Lab, node: Machine): Promise<void> {
  return ready(lab, node, { part: 'agent', port: agentPort });
}

function controllerReady(lab: Lab): Promise<void> {
  return ready(lab, lab.machine('control'), { part: 'controller', port: controllerPort });
}

async function ready(
  lab: Lab, machine: Machine, { part, port }: { readonly part: string; readonly port: number },
): Promise<void> {
  const child = startIn(
    machine.site('readiness'),
    [process.execPath, join(import.meta.dirname, 'readiness.ts'), String(port), String(readyMs)],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const said: string[] = [];
  child.stderr?.on('data', (text) => said.push(String(text)));
  const code = await new Promise((resolve) => { child.once('close', resolve); });
  if (code === 0) return;
  const log = lab.record.path(`logs/${machine.name}.${part}.log`);
  throw new Error(`the ${part} of ${machine.name} is not ready: ${said.join('').trim()}; ${log}`);
}

/** Seconds since it was last asked. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
}
