import type { Fault } from '../../lb/model.ts';
import { validLabelKey } from '../../lb/selector.ts';
import { compareText } from '../../lb/table.ts';
import { conditionFaults } from './conditions.ts';
import { goValue } from './govalue.ts';
import { equalJson, listOf, objectOf, type JsonObject } from './json.ts';
import { isSloppyPrefix, sloppyIp, specialIp } from './sloppy.ts';

type Report = (path: string, message: string) => void;

const types: readonly unknown[] = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'];
const portName = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/u;
const portNameMax = 63;
const affinitySecondsMax = 86_400;

/** What is wrong with a defaulted Service spec; `old` is the stored one of an update (A10, A16). */
export function serviceFaults(spec: JsonObject, old: JsonObject | undefined): Fault[] {
  const faults: Fault[] = [];
  const report: Report = (path, message) => { faults.push({ path: `spec.${path}`, message }); };
  const type = spec['type'];
  if (!types.includes(type)) report('type', unsupported(type, types));
  const headless = spec['clusterIP'] === 'None';
  if (type === 'ExternalName') externalNameFaults(spec, report);
  else if (listOf(spec['ports']).length === 0 && !headless) report('ports', 'Required value');
  if (headless && (type === 'NodePort' || type === 'LoadBalancer')) {
    report(
      'clusterIPs[0]',
      `Invalid value: "None": may not be set to 'None' for ${String(type)} services`,
    );
  }
  portFaults(spec, report);
  addressFaults(spec, report);
  policyFaults(spec, report);
  if (old !== undefined) changeFaults(spec, old, report);
  return faults;
}

// The choices stand in order of their letters.
function unsupported(value: unknown, options: readonly unknown[]): string {
  const texts = options.map((option) => JSON.stringify(option));
  const supported = texts.sort(compareText).join(', ');
  return `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported}`;
}

function externalNameFaults(spec: JsonObject, report: Report): void {
  if (typeof spec['externalName'] !== 'string' || spec['externalName'] === '') {
    report('externalName', 'Required value');
  }
  if (spec['clusterIP'] !== undefined && spec['clusterIP'] !== '') {
    report('clusterIP', 'Forbidden: may not be set when `type` is \'ExternalName\'');
  }
}

function portFaults(spec: JsonObject, report: Report): void {
  const ports = listOf(spec['ports']);
  const names: string[] = [];
  const sockets: string[] = [];
  const nodeSockets: string[] = [];
  for (const [index, entry] of ports.entries()) {
    const port = objectOf(entry) ?? {};
    const at = `ports[${index}]`;
    const name = port['name'] ?? '';
    if (
      typeof name !== 'string'
      || (name !== '' && (!portName.test(name) || name.length > portNameMax))
    ) {
      report(`${at}.name`, `Invalid value: ${JSON.stringify(name)}: must be a DNS label`);
    } else if (name === '' && ports.length > 1) report(`${at}.name`, 'Required value');
    else if (names.includes(name)) report(`${at}.name`, `Duplicate value: "${name}"`);
    if (typeof name === 'string') names.push(name);
    if (!isPort(port['port'])) {
      report(
        `${at}.port`,
        `Invalid value: ${JSON.stringify(port['port'])}: must be between 1 and 65535, inclusive`,
      );
    }
    const protocols = ['TCP', 'UDP', 'SCTP'];
    if (!protocols.includes(String(port['protocol']))) {
      report(`${at}.protocol`, unsupported(port['protocol'], protocols));
    }
    const target = port['targetPort'];
    if (typeof target === 'number' && !isPort(target)) {
      report(
        `${at}.targetPort`, `Invalid value: ${target}: must be between 1 and 65535, inclusive`,
      );
    }
    const socket = `${String(port['protocol'])}/${String(port['port'])}`;
    if (sockets.includes(socket)) {
      report(
        at,
        `Duplicate value: ${JSON.stringify({ protocol: port['protocol'], port: port['port'] })}`,
      );
    }
    sockets.push(socket);
    nodePortFaults(port, { at, spec, nodeSockets }, report);
  }
}

function nodePortFaults(
  port: JsonObject, place: {
    readonly at: string;
    readonly spec: JsonObject;
    readonly nodeSockets: string[];
  }, report: Report,
): void {
  const nodePort = port['nodePort'];
  if (nodePort === undefined || nodePort === 0) return;
  const path = `${place.at}.nodePort`;
  if (typeof nodePort !== 'number' || !Number.isSafeInteger(nodePort)) {
    report(path, 'Invalid value: must be an integer');
    return;
  }
  const type = place.spec['type'];
  if (type !== 'NodePort' && type !== 'LoadBalancer') {
    report(path, 'Forbidden: may not be used when `type` is \'ClusterIP\'');
  }
  const socket = `${String(port['protocol'])}/${nodePort}`;
  if (place.nodeSockets.includes(socket)) report(path, `Duplicate value: ${nodePort}`);
  place.nodeSockets.push(socket);
}

function isPort(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= 65_535;
}

function addressFaults(spec: JsonObject, report: Report): void {
  for (const [index, text] of listOf(spec['externalIPs']).entries()) {
    const ip = sloppyIp(text);
    const why = ip === undefined ? 'must be a valid IP address' : specialIp(ip);
    if (why !== undefined) {
      report(`externalIPs[${index}]`, `Invalid value: ${JSON.stringify(text)}: ${why}`);
    }
  }
  for (const [index, text] of listOf(spec['loadBalancerSourceRanges']).entries()) {
    if (isSloppyPrefix(text)) continue;
    report(
      `loadBalancerSourceRanges[${index}]`,
      `Invalid value: ${JSON.stringify(text)}: must be a valid CIDR value`,
    );
  }
  const families = listOf(spec['ipFamilies']);
  for (const [index, family] of families.entries()) {
    if (family !== 'IPv4' && family !== 'IPv6') {
      report(`ipFamilies[${index}]`, unsupported(family, ['IPv4', 'IPv6']));
    }
    if (families.indexOf(family) !== index) {
      report(`ipFamilies[${index}]`, `Duplicate value: ${JSON.stringify(family)}`);
    }
  }
}

function policyFaults(spec: JsonObject, report: Report): void {
  const either = (field: string, options: readonly string[]): void => {
    const value = spec[field];
    if (value !== undefined && !options.some((option) => option === value)) {
      report(field, unsupported(value, options));
    }
  };
  either('externalTrafficPolicy', ['Cluster', 'Local']);
  either('internalTrafficPolicy', ['Cluster', 'Local']);
  either('sessionAffinity', ['ClientIP', 'None']);
  either('ipFamilyPolicy', ['SingleStack', 'PreferDualStack', 'RequireDualStack']);
  const type = spec['type'];
  const external = type === 'NodePort'
    || type === 'LoadBalancer'
    || listOf(spec['externalIPs']).length > 0;
  if (spec['externalTrafficPolicy'] !== undefined && !external) {
    report(
      'externalTrafficPolicy',
      'Invalid value: may only be set for externally-accessible services',
    );
  }
  const affinity = objectOf(objectOf(spec['sessionAffinityConfig'])?.['clientIP']);
  const timeout = affinity?.['timeoutSeconds'];
  if (
    timeout !== undefined
    && !(typeof timeout === 'number' && timeout > 0 && timeout <= affinitySecondsMax)
  ) {
    report(
      'sessionAffinityConfig.clientIP.timeoutSeconds',
      `Invalid value: must be greater than 0 and less than ${affinitySecondsMax}`,
    );
  }
  if (type !== 'LoadBalancer') {
    for (const field of ['loadBalancerClass', 'allocateLoadBalancerNodePorts']) {
      if (spec[field] !== undefined) {
        report(field, 'Forbidden: may only be used when `type` is \'LoadBalancer\'');
      }
    }
    if (listOf(spec['loadBalancerSourceRanges']).length > 0) {
      report(
        'LoadBalancerSourceRanges', 'Forbidden: may only be used when `type` is \'LoadBalancer\'',
      );
    }
    return;
  }
  const className = spec['loadBalancerClass'];
  if (className !== undefined && !(typeof className === 'string' && validLabelKey(className))) {
    report(
      'loadBalancerClass', `Invalid value: ${JSON.stringify(className)}: must be a qualified name`,
    );
  }
}

function changeFaults(spec: JsonObject, old: JsonObject, report: Report): void {
  if (spec['type'] === 'LoadBalancer' && old['type'] === 'LoadBalancer'
    && !equalJson(spec['loadBalancerClass'], old['loadBalancerClass'])) {
    report(
      'loadBalancerClass',
      `Invalid value: ${goValue(spec['loadBalancerClass'], 'string')}: may not change once set`,
    );
  }
  const addressed = old['type'] !== 'ExternalName' && spec['type'] !== 'ExternalName';
  const first = listOf(old['clusterIPs'])[0];
  if (addressed && first !== undefined && listOf(spec['clusterIPs'])[0] !== first) {
    report(
      'clusterIPs[0]',
      `Invalid value: ${goValue(spec['clusterIPs'], '[]string')}: may not change once set`,
    );
  }
  const primary = listOf(old['ipFamilies'])[0];
  const wanted = listOf(spec['ipFamilies'])[0];
  if (addressed && primary !== undefined && wanted !== undefined && primary !== wanted) {
    report(
      'ipFamilies[0]',
      `Invalid value: ${goValue(spec['ipFamilies'], '[]core.IPFamily')}: may not change once set`,
    );
  }
}

/** What is wrong with the status of a Service. */
export function serviceStatusFaults(spec: JsonObject, status: JsonObject): Fault[] {
  const faults: Fault[] = [];
  const ingress = listOf(objectOf(status['loadBalancer'])?.['ingress']);
  if (spec['type'] !== 'LoadBalancer' && ingress.length > 0) {
    faults.push({
      path: 'status.loadBalancer.ingress',
      message: 'Forbidden: may only be used when `spec.type` is "LoadBalancer"',
    });
  }
  for (const [index, value] of ingress.entries()) {
    const entry = objectOf(value) ?? {};
    const path = `status.loadBalancer.ingress[${index}]`;
    const ip = entry['ip'];
    if (ip !== undefined && ip !== '' && sloppyIp(ip) === undefined) {
      faults.push({
        path: `${path}.ip`,
        message: `Invalid value: ${JSON.stringify(ip)}: must be a valid IP address`,
      });
    }
    const mode = entry['ipMode'];
    if (mode !== undefined && mode !== 'VIP' && mode !== 'Proxy') {
      faults.push({ path: `${path}.ipMode`, message: unsupported(mode, ['Proxy', 'VIP']) });
    }
    if (mode !== undefined && ip === undefined) {
      faults.push({
        path: `${path}.ipMode`, message: 'Forbidden: may not be specified when `ip` is not set',
      });
    }
  }
  return [...faults, ...conditionFaults(status['conditions'])];
}
