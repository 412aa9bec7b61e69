import type { Micros } from '../../lb/ports.ts';
import { parseDuration } from '../scenario/quantity.ts';
import type { FaultUse } from '../scenario/spec.ts';

/** One thing that goes wrong, as asked on the command line. */
export interface Failure {
  /** `node-2 loses power`, for headings. */
  readonly title: string;
  /** The fault in the scenario vocabulary, so that it can be copied into a scenario. */
  readonly fault: FaultUse;
  /** The node that is lost or emptied, where it is one. */
  readonly node: string | undefined;
}

function use(
  name: string,
  parameters: Readonly<Record<string, unknown>>,
  duration?: Micros,
): FaultUse {
  return { name, with: parameters, for: duration, path: name };
}

export function nodeDown(node: string): Failure {
  return { title: `${node} loses power`, fault: use('node.powerOff', { node }), node };
}

export function drain(node: string): Failure {
  return { title: `${node} is drained`, fault: use('node.drain', { node }), node };
}

export function apiDown(duration: Micros, shown: string): Failure {
  return {
    title: `API server down for ${shown}`,
    fault: use('api.outage', {}, duration),
    node: undefined,
  };
}

export function isolate(node: string, direction: 'in' | 'out' | 'both'): Failure {
  const how = { in: 'hears nothing', out: 'cannot send', both: 'is cut off' }[direction];
  return {
    title: `${node} ${how} on every plane`,
    fault: use('net.isolate', { node, direction, plane: 'all' }),
    node,
  };
}

/** The node keeps its LAN and its clients, and loses the API server for five minutes. */
function cutFromApi(node: string): Failure {
  const parameters = { node, direction: 'both', plane: 'api' };
  return {
    title: `${node} loses the API server for 5m`,
    fault: use('net.isolate', parameters, 300_000_000),
    node,
  };
}

function agentCrash(node: string): Failure {
  return {
    title: `agent of ${node} is killed and restarts`,
    fault: use('process.crash', { target: `agent/${node}`, restartAfter: '2s' }),
    node: undefined,
  };
}

/** As `apiDown`, from a duration text; undefined when it is none. */
export function apiDownFor(text: string): Failure | undefined {
  const duration = parseDuration(text);
  return duration === undefined ? undefined : apiDown(duration, text);
}

/** A router loses power, silently and for good. */
export function routerDown(router: string): Failure {
  const parameters = { router, duration: '1d', form: 'silent' };
  return {
    title: `router ${router} loses power`,
    fault: use('router.reboot', parameters),
    node: undefined,
  };
}

/** Every failure of one thing that a cluster must survive, in a fixed order. */
export function everySingleFailure(
  nodes: readonly string[], routers: readonly string[],
): Failure[] {
  return [
    ...nodes.map(nodeDown),
    ...routers.map(routerDown),
    ...nodes.map(cutFromApi),
    ...nodes.map(agentCrash),
    apiDown(120_000_000, '2m'),
  ];
}
