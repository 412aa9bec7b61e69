import { datapathDefaults, type DatapathOptions } from '../../lb/datapathoptions.ts';
import {
  defaultIpamSettings,
  ipamSettingNames,
  parseIpamSettings,
  type IpamSettings,
} from '../../lb/ipam/settings.ts';
import { parsePrefix, type Prefix } from '../../lb/ip.ts';
import type { Fault } from '../../lb/model.ts';
import { compareText } from '../../lb/table.ts';
import { parseL2Settings, type L2Settings } from '../../l2/settings.ts';

/** What `createAgent` and `createController` are configured with, from one flat record. */
export interface ClusterSettings {
  readonly ipam: IpamSettings;
  readonly l2: L2Settings & { readonly enabled: boolean };
  readonly datapath: DatapathOptions;
  /** Values that were not taken as written, and keys that nobody reads. */
  readonly faults: readonly Fault[];
}

const l2Names: readonly string[] = [
  'l2.enabled',
  'l2.session.duration',
  'l2.session.renew',
  'l2.devices',
  'l2.onApiOutage',
  'l2.preempt',
  'l2.reannounceInterval',
  'l2.ignoreExcludeLabel',
  'l2.responder',
];

const datapathNames: readonly string[] = [
  'datapath.algorithm',
  'datapath.externalClusterIP',
  'datapath.externalIPs',
  'datapath.vipGuard',
  'datapath.noEndpoints',
];

/**
 * Settings of parts that no simulated process has yet: a folder that carries them is not wrong, and
 * they change nothing here.
 */
const elsewhere =
  /^(?:(?:bgp|metrics|events|log|kubernetes)\..*|datapath\.(?:enabled|healthzAddress|mode))$/u;

/**
 * Reads settings by the names of interface.md 10; those absent have their defaults. Grouped keys
 * may also be nested mappings, as people write them in YAML.
 */
export function parseClusterSettings(
  record: Readonly<Record<string, unknown>>,
  serviceCidrs: readonly string[],
): ClusterSettings {
  const flat = flatten(record);
  const faults: Fault[] = [];
  const known = new Set([...ipamSettingNames, ...l2Names, ...datapathNames]);
  for (const key of Object.keys(flat).sort(compareText)) {
    if (known.has(key) || elsewhere.test(key)) continue;
    faults.push({ path: key, message: 'unknown setting' });
  }
  const ipam = parseIpamSettings(flat);
  if (!ipam.ok) faults.push({ path: ipam.error.key, message: ipam.error.message });
  const l2 = parseL2Settings(flat);
  for (const warning of l2.warnings) faults.push({ path: 'l2', message: warning });
  const enabled = flat['l2.enabled'] !== false && flat['l2.enabled'] !== 'false';
  const allocation = ipam.ok ? ipam.value : defaultIpamSettings;
  return {
    ipam: { ...allocation, l2: allocation.l2 && enabled },
    l2: { ...l2.settings, enabled },
    datapath: { ...readDatapath(flat, faults), serviceRanges: serviceCidrs.flatMap(prefixOf) },
    faults,
  };
}

function prefixOf(text: string): Prefix[] {
  const parsed = parsePrefix(text);
  return parsed.ok ? [parsed.value.prefix] : [];
}

function flatten(record: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const flat: Record<string, unknown> = {};
  const walk = (value: Readonly<Record<string, unknown>>, prefix: string): void => {
    for (const [name, field] of Object.entries(value)) {
      const key = `${prefix}${name}`;
      if (typeof field === 'object' && field !== null && !Array.isArray(field)) {
        walk(field as Readonly<Record<string, unknown>>, `${key}.`);
      } else flat[key] = field;
    }
  };
  walk(record, '');
  return flat;
}

function readDatapath(flat: Readonly<Record<string, unknown>>, faults: Fault[]): DatapathOptions {
  const choose = <T extends string>(key: string, allowed: readonly T[], usual: T): T => {
    const value = flat[key];
    if (value === undefined) return usual;
    const found = allowed.find((candidate) => candidate === value);
    if (found === undefined)
      faults.push({ path: key, message: `permitted: ${allowed.join(', ')}` });
    return found ?? usual;
  };
  const fact = (key: string, usual: boolean): boolean => {
    const value = flat[key];
    if (value === undefined || typeof value === 'boolean') return value ?? usual;
    faults.push({ path: key, message: 'permitted: true, false' });
    return usual;
  };
  return {
    ...datapathDefaults,
    algorithm: choose('datapath.algorithm', ['random', 'maglev'], datapathDefaults.algorithm),
    externalClusterIp: fact('datapath.externalClusterIP', datapathDefaults.externalClusterIp),
    externalIps: choose(
      'datapath.externalIPs',
      ['honour', 'nodeOwned', 'off'],
      datapathDefaults.externalIps,
    ),
    vipGuard: fact('datapath.vipGuard', datapathDefaults.vipGuard),
    noEndpoints: choose('datapath.noEndpoints', ['reject', 'drop'], datapathDefaults.noEndpoints),
  };
}
