import {
  bgpDefaults, speakerDefaults, type BgpSettings, type SpeakerSettings,
} from './bgp/settings.ts';
import { parseDuration, parseL2Settings, type L2Settings } from './l2/settings.ts';
import {
  datapathDefaults, type DatapathOptions, type NodePortAddresses, type PortRange,
} from './lb/datapathoptions.ts';
import { defaultIpamSettings, parseIpamSettings, type IpamSettings } from './lb/ipam/settings.ts';
import { parsePrefix, type Prefix } from './lb/ip.ts';
import type { Fault } from './lb/model.ts';
import type { Micros } from './lb/ports.ts';
import type { LeaderTiming } from './kube/leader.ts';
import { parseEndpoint } from './kube/endpoint.ts';
import { settingTable } from './settingtable.ts';

/** What agent and controller are configured with, whatever process they run in. */
export interface Settings {
  readonly namespace: string;
  readonly ipam: IpamSettings;
  readonly l2: L2Settings & { readonly enabled: boolean };
  readonly datapath: DatapathOptions;
  readonly bgp: BgpSettings & { readonly speaker: SpeakerSettings };
  readonly leader: LeaderTiming;
  /** Twice this without a completed round is unhealthy (datapath.md 14.4). */
  readonly syncPeriod: Micros;
}

export interface SettingsRead {
  readonly settings: Settings;
  /** Values that cannot be taken; in their place stand the defaults. */
  readonly faults: readonly Fault[];
  /** Values of `l2.*` that were brought within their bounds. */
  readonly warnings: readonly string[];
}

/** Settings by their names, one level deep: `l2.session.renew`. */
export type SettingValues = Readonly<Record<string, unknown>>;

/** Grouped keys may be nested mappings, as people write them in YAML. */
export function flattenSettings(record: SettingValues): SettingValues {
  const flat: Record<string, unknown> = {};
  const whole = new Set(settingTable.filter(({ schema }) => schema.type === 'object')
    .map(({ key }) => key));
  const walk = (value: SettingValues, prefix: string): void => {
    for (const [name, field] of Object.entries(value)) {
      const key = `${prefix}${name}`;
      const nested = typeof field === 'object' && field !== null && !Array.isArray(field);
      if (nested && !whole.has(key)) walk(field as SettingValues, `${key}.`);
      else flat[key] = field;
    }
  };
  walk(record, '');
  return flat;
}

/** Reads settings by name; those absent have their defaults. Unknown names are the caller's. */
export function readSettings(values: SettingValues): SettingsRead {
  const reader = new Reader(values);
  reader.endpoints('kubernetes.endpoints');
  const l2 = parseL2Settings(values);
  const enabled = reader.fact('l2.enabled', true);
  const ipam = parseIpamSettings(values);
  if (!ipam.ok) reader.refuse(ipam.error.key, ipam.error.message);
  const allocation = ipam.ok ? ipam.value : defaultIpamSettings;
  const bgp = readBgp(reader);
  const settings: Settings = {
    namespace: reader.text('namespace', 'fairlead-system'),
    ipam: { ...allocation, l2: enabled, bgp: bgp.enabled },
    l2: { ...l2.settings, enabled },
    datapath: readDatapath(reader),
    bgp,
    leader: readLeader(reader),
    syncPeriod: reader.duration('datapath.syncPeriod', 30_000_000),
  };
  return { settings, faults: reader.faults, warnings: l2.warnings };
}

function readDatapath(reader: Reader): DatapathOptions {
  const usual = datapathDefaults;
  return {
    ...usual,
    algorithm: reader.choice('datapath.algorithm', ['random', 'maglev']),
    maglevTableSize: reader.number('datapath.maglevTableSize', usual.maglevTableSize),
    hashSeed: reader.number('datapath.hashSeed', usual.hashSeed),
    nodePortAddresses: reader.nodePortAddresses('datapath.nodePortAddresses'),
    nodePortRange: reader.ports('datapath.nodePortRange', usual.nodePortRange),
    snatPorts: reader.ports('datapath.snatPorts', usual.snatPorts),
    externalClusterIp: reader.fact('datapath.externalClusterIP', usual.externalClusterIp),
    externalIps: reader.choice('datapath.externalIPs', ['honour', 'nodeOwned', 'off']),
    vipGuard: reader.fact('datapath.vipGuard', usual.vipGuard),
    vipEcho: reader.fact('datapath.vipEcho', usual.vipEcho),
    noEndpoints: reader.choice('datapath.noEndpoints', ['reject', 'drop']),
    midstream: reader.choice('datapath.midstream', ['drop', 'reset', 'pass']),
    serviceRanges: reader.prefixes('datapath.serviceRanges'),
  };
}

function readBgp(reader: Reader): Settings['bgp'] {
  const usual = bgpDefaults;
  const pool = reader.text('bgp.routerIDAllocation.ipPool', '');
  return {
    enabled: reader.fact('bgp.enabled', usual.enabled),
    statusReport: reader.fact('bgp.statusReport', usual.statusReport),
    secretsNamespace: reader.text('bgp.secretsNamespace', usual.secretsNamespace),
    routerIdMode: reader.choice('bgp.routerIDAllocation.mode', ['default', 'ip-pool']),
    routerIdPool: pool === '' ? undefined : pool,
    noServiceEndpointsRoutable: reader.fact(
      'bgp.noServiceEndpointsRoutable', usual.noServiceEndpointsRoutable,
    ),
    legacyOriginAttribute: reader.fact('bgp.legacyOriginAttribute', usual.legacyOriginAttribute),
    localEndpoints: reader.choice('bgp.localEndpoints', ['ready', 'serving']),
    honourExcludeLabel: reader.fact('bgp.honourExcludeLabel', usual.honourExcludeLabel),
    honourNetworkUnavailable: reader.fact(
      'bgp.honourNetworkUnavailable', usual.honourNetworkUnavailable,
    ),
    connectRetryCapSeconds: reader.number(
      'bgp.connectRetryCapSeconds', usual.connectRetryCapSeconds,
    ),
    deferralSeconds: reader.number('bgp.deferralSeconds', usual.deferralSeconds),
    onTerminate: reader.choice('bgp.onTerminate', ['auto', 'keep', 'withdraw']),
    drainSeconds: reader.number('bgp.drainSeconds', usual.drainSeconds),
    speaker: {
      mode: reader.choice('bgp.speaker.mode', ['supervised', 'external']),
      command: reader.text('bgp.speaker.command', speakerDefaults.command),
      directory: reader.text('bgp.speaker.directory', speakerDefaults.directory),
      endpoints: reader.speakerEndpoints('bgp.speaker.endpoints'),
    },
  };
}

function readLeader(reader: Reader): LeaderTiming {
  const timing = {
    lease: reader.duration('leader.lease', 15_000_000),
    renewDeadline: reader.duration('leader.renewDeadline', 10_000_000),
    retry: reader.duration('leader.retry', 2_000_000),
  };
  const { lease, renewDeadline, retry } = timing;
  if (retry > 0 && retry < renewDeadline && renewDeadline < lease) return timing;
  reader.refuse('leader', 'retry has to be below renewDeadline, and that below lease');
  return { lease: 15_000_000, renewDeadline: 10_000_000, retry: 2_000_000 };
}

/** Typed values of a record; what does not fit is a fault, and the default stands. */
class Reader {
  readonly faults: Fault[] = [];
  #values: SettingValues;

  constructor(values: SettingValues) {
    this.#values = values;
  }

  refuse(path: string, message: string): void {
    this.faults.push({ path, message });
  }

  text(key: string, usual: string): string {
    const value = this.#values[key];
    if (value === undefined || (typeof value === 'string' && value !== '')) return value ?? usual;
    return this.#refused(key, 'a text', usual);
  }

  fact(key: string, usual: boolean): boolean {
    const value = this.#values[key];
    if (value === undefined) return usual;
    if (value === true || value === 'true') return true;
    if (value === false || value === 'false') return false;
    return this.#refused(key, 'true, false', usual);
  }

  choice<T extends string>(key: string, values: readonly [T, ...T[]]): T {
    const value = this.#values[key];
    if (value === undefined) return values[0];
    const found = values.find((one) => one === value);
    return found ?? this.#refused(key, values.join(', '), values[0]);
  }

  number(key: string, usual: number): number {
    const value = this.#values[key];
    if (value === undefined) return usual;
    const { enum: listed, minimum = 0, maximum = 0xffff_ffff } = schemaOf(key);
    const fits = typeof value === 'number' && Number.isInteger(value)
      && (listed?.includes(value) ?? (value >= minimum && value <= maximum));
    if (fits) return value;
    return this.#refused(key, listed?.join(', ') ?? `${minimum} to ${maximum}`, usual);
  }

  duration(key: string, usual: Micros): Micros {
    const value = this.#values[key];
    if (value === undefined) return usual;
    return parseDuration(value) ?? this.#refused(key, 'a duration such as 30s', usual);
  }

  ports(key: string, usual: PortRange): PortRange {
    const value = this.#values[key];
    if (value === undefined) return usual;
    const [, low, high] = /^([0-9]{1,5})[-,]([0-9]{1,5})$/u
      .exec(typeof value === 'string' ? value : '') ?? [];
    const [first, last] = [Number(low), Number(high)];
    if (first >= 1 && first <= last && last <= 65_535) return { first, last };
    return this.#refused(key, 'FIRST-LAST within 1-65535', usual);
  }

  prefixes(key: string): readonly Prefix[] {
    const parsed = this.#texts(key).map((text) => ({ text, prefix: parsePrefix(text) }));
    const bad = parsed.find(({ prefix }) => !prefix.ok);
    if (bad !== undefined) return this.#refused(key, `prefixes; '${bad.text}' is none`, []);
    return parsed.flatMap(({ prefix }) => (prefix.ok ? [prefix.value.prefix] : []));
  }

  nodePortAddresses(key: string): NodePortAddresses {
    const texts = this.#texts(key);
    const [only] = texts;
    if (only === undefined || (texts.length === 1 && only === 'primary')) {
      return { kind: 'primary' };
    }
    if (texts.length === 1 && only === 'all') return { kind: 'all' };
    return { kind: 'cidrs', prefixes: this.prefixes(key) };
  }

  /** Only looked at: whoever connects parses them again. */
  endpoints(key: string): void {
    for (const [index, text] of this.#texts(key).entries()) {
      const parsed = parseEndpoint(text);
      if (!parsed.ok) this.refuse(`${key}[${index}]`, parsed.error);
    }
  }

  /** Instance to `unix:PATH` or loopback `HOST:PORT`: its API has no password (bgp.md 5.5, G7). */
  speakerEndpoints(key: string): Readonly<Record<string, string>> {
    const value = this.#values[key];
    if (value === undefined) return {};
    const permitted = 'instance: unix:PATH or a loopback HOST:PORT';
    if (typeof value !== 'object' || value === null) return this.#refused(key, permitted, {});
    const entries = Object.entries(value).filter((entry): entry is [string, string] => (
      typeof entry[1] === 'string' && localEndpoint.test(entry[1])
    ));
    if (entries.length < Object.keys(value).length) return this.#refused(key, permitted, {});
    return Object.fromEntries(entries);
  }

  #texts(key: string): readonly string[] {
    const value = this.#values[key];
    if (value === undefined) return [];
    if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
    if (typeof value === 'string') {
      return value.split(',').map((one) => one.trim()).filter((one) => one !== '');
    }
    return this.#refused(key, 'a list of texts', []);
  }

  #refused<T>(key: string, permitted: string, usual: T): T {
    this.refuse(key, `permitted: ${permitted}`);
    return usual;
  }
}

const localEndpoint = /^(?:unix:\/.+|(?:127(?:\.[0-9]{1,3}){3}|localhost|\[::1\]):[0-9]{1,5})$/u;

function schemaOf(key: string): (typeof settingTable)[number]['schema'] {
  return settingTable.find((setting) => setting.key === key)?.schema ?? { type: 'integer' };
}
