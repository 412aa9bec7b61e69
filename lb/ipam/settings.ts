import type { Micros } from '../ports.ts';
import { err, ok, type Result } from '../result.ts';

/** Settings of LB IPAM and node IPAM under Cilium's option names (lb-ipam.md 2.3). */
export interface IpamSettings {
  readonly lbIpam: boolean;
  readonly classlessOwner: 'lbipam' | 'nodeipam' | 'none';
  readonly nodeIpam: boolean;
  readonly l2: boolean;
  readonly bgp: boolean;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly holdDown: Micros;
  readonly batchWindow: Micros;
  readonly writeQps: number;
  readonly writeBurst: number;
}

export const defaultIpamSettings: IpamSettings = {
  lbIpam: true,
  classlessOwner: 'lbipam',
  nodeIpam: true,
  l2: true,
  bgp: true,
  ipv4: true,
  ipv6: true,
  holdDown: 0,
  batchWindow: 50_000,
  writeQps: 100,
  writeBurst: 200,
};

/** A setting out of range, by its option name, and what would be legal. */
export interface SettingError {
  readonly key: string;
  readonly message: string;
}

type Patch = { -readonly [K in keyof IpamSettings]?: IpamSettings[K] };
type Reader = (value: unknown, into: Patch) => string | undefined;

const readers: Readonly<Record<string, Reader>> = {
  'enable-lb-ipam': flag('lbIpam'),
  'enable-node-ipam': flag('nodeIpam'),
  'enable-l2-announcements': flag('l2'),
  'enable-bgp-control-plane': flag('bgp'),
  'enable-ipv4': flag('ipv4'),
  'enable-ipv6': flag('ipv6'),
  'default-lb-service-ipam': (value, into) => {
    if (value !== 'lbipam' && value !== 'nodeipam' && value !== 'none') {
      return 'lbipam, nodeipam or none';
    }
    into.classlessOwner = value;
    return undefined;
  },
  'lb-ipam-reuse-hold-down': duration('holdDown', { text: '0s to 24h', max: 86_400_000_000 }),
  'lb-ipam-batch-window': duration('batchWindow', { text: '0s to 10s', max: 10_000_000 }),
  'lb-ipam-write-qps': count('writeQps'),
  'lb-ipam-write-burst': count('writeBurst'),
};

/** The option names that `parseIpamSettings` reads; others are someone else's. */
export const ipamSettingNames: readonly string[] = [
  ...Object.keys(readers), 'lbipam-require-lb-class',
];

/**
 * Settings from options by name, defaults for those absent. Booleans and numbers may be texts, as
 * in a ConfigMap; durations are Go's (`50ms`, `1m30s`). The first bad value is refused by name.
 */
export function parseIpamSettings(
  record: Readonly<Record<string, unknown>>,
): Result<IpamSettings, SettingError> {
  const into: Patch = {};
  const older = record['lbipam-require-lb-class'];
  if (older !== undefined) {
    const required = parseFlag(older);
    if (required === undefined) return refuse('lbipam-require-lb-class', older, 'true or false');
    if (required) into.classlessOwner = 'none';
  }
  for (const [key, read] of Object.entries(readers)) {
    const value = record[key];
    if (value === undefined) continue;
    const permitted = read(value, into);
    if (permitted !== undefined) return refuse(key, value, permitted);
  }
  return ok({ ...defaultIpamSettings, ...into });
}

function refuse(key: string, value: unknown, permitted: string): Result<never, SettingError> {
  const shown = JSON.stringify(value) ?? String(value);
  return err({ key, message: `${key} is ${shown}; permitted: ${permitted}` });
}

function flag(name: 'lbIpam' | 'nodeIpam' | 'l2' | 'bgp' | 'ipv4' | 'ipv6'): Reader {
  return (value, into) => {
    const parsed = parseFlag(value);
    if (parsed === undefined) return 'true or false';
    into[name] = parsed;
    return undefined;
  };
}

function parseFlag(value: unknown): boolean | undefined {
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  return undefined;
}

function count(name: 'writeQps' | 'writeBurst'): Reader {
  return (value, into) => {
    const number = typeof value === 'string' && /^[0-9]{1,7}$/u.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isInteger(number) || number < 1 || number > 10_000) {
      return 'a whole number from 1 to 10000';
    }
    into[name] = number;
    return undefined;
  };
}

function duration(name: 'holdDown' | 'batchWindow', range: { text: string; max: Micros }): Reader {
  return (value, into) => {
    const micros = typeof value === 'string' ? parseDuration(value) : undefined;
    if (micros === undefined || micros > range.max) return `a duration from ${range.text}`;
    into[name] = micros;
    return undefined;
  };
}

const unitMicros: Readonly<Record<string, number>> = {
  us: 1, ms: 1000, s: 1_000_000, m: 60_000_000, h: 3_600_000_000,
};

// Go's time.ParseDuration for what a setting needs: unsigned, whole numbers, units in any order.
function parseDuration(text: string): Micros | undefined {
  if (text === '0') return 0;
  if (!/^(?:[0-9]{1,9}(?:us|ms|s|m|h))+$/u.test(text)) return undefined;
  let micros = 0;
  for (const [, digits, unit] of text.matchAll(/([0-9]+)(us|ms|s|m|h)/gu)) {
    micros += Number(digits) * (unitMicros[unit ?? ''] ?? 0);
  }
  return Number.isSafeInteger(micros) ? micros : undefined;
}
