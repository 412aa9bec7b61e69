import { parse } from 'yaml';
import type { KubeObject } from '../../kube/port.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { flattenSettings, type SettingValues } from '../../settings.ts';
import { settingTable } from '../../settingtable.ts';
import { loadConfiguration } from '../daemon/configuration.ts';
import { nearestNames } from '../nearest.ts';
import { yamlOf } from './files.ts';

/** One `--set KEY=VALUE`. */
export interface Choice {
  readonly key: string;
  readonly value: string;
}

/** `KEY=VALUE`, or why it is none. */
export function parseChoice(text: string): Result<Choice, string> {
  const at = text.indexOf('=');
  if (at <= 0) return err(`--set ${text}: it is KEY=VALUE`);
  return ok({ key: text.slice(0, at), value: text.slice(at + 1) });
}

/** The objects with one choice made: of the image, of Secrets, or of a setting. */
export function configured(
  objects: KubeObject[], choice: Choice,
): Result<KubeObject[], string> {
  if (choice.key === 'image') return withImage(objects, choice.value);
  if (choice.key === 'bgp.secrets') return withSecrets(objects, choice.value);
  if (!settingTable.some(({ key }) => key === choice.key)) return err(unknownKey(choice.key));
  return withSetting(objects, choice.key, choice.value);
}

function unknownKey(key: string): string {
  const known = ['image', 'bgp.secrets', ...settingTable.map((setting) => setting.key)];
  const nearest = nearestNames(key, known);
  const hint = nearest.length === 0
    ? "'fairlead config view' lists the settings" : `did you mean ${nearest.join(' or ')}?`;
  return `--set ${key}: no such setting; ${hint}`;
}

function withImage(objects: KubeObject[], image: string): Result<KubeObject[], string> {
  if (!/^[\w.:/@-]+$/u.test(image)) return err(`--set image=${image}: it is no image reference`);
  return ok(objects.map((object) => (object.kind === 'DaemonSet' || object.kind === 'Deployment'
    ? replaced(object, 'image', image) : object)));
}

/** `value` in place of every text that stands under `name`. */
function replaced<T>(value: T, name: string, text: string): T {
  if (Array.isArray(value)) return value.map((item: unknown) => replaced(item, name, text)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => (
    [key, key === name && typeof field === 'string' ? text : replaced(field, name, text)]
  ))) as T;
}

function withSecrets(objects: KubeObject[], value: string): Result<KubeObject[], string> {
  const names = value.split(',').map((name) => name.trim()).filter((name) => name !== '');
  const bad = names.find((name) => !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/u.test(name));
  if (bad !== undefined) return err(`--set bgp.secrets: '${bad}' is no name of a Secret`);
  if (!objects.some(readsSecrets)) {
    return err('--set bgp.secrets: this profile reads no Secrets; --profile bgp does');
  }
  return ok(objects.map((object) => {
    if (!readsSecrets(object) || names.length === 0) return object;
    const rules = (object['rules'] as readonly object[])
      .map((rule) => ({ ...rule, resourceNames: names }));
    return { ...object, rules };
  }));
}

function readsSecrets({ kind, metadata }: KubeObject): boolean {
  return kind === 'Role' && metadata?.name === 'fairlead-bgp-secrets';
}

function withSetting(
  objects: KubeObject[], key: string, text: string,
): Result<KubeObject[], string> {
  const loaded = loadConfiguration({ file: undefined, env: {}, flags: { [key]: text } });
  if (!loaded.ok) return err(`--set ${key}=${text}: ${loaded.error[0]?.message ?? ''}`);
  const [warning] = loaded.value.warnings;
  if (warning !== undefined) return err(`--set ${key}=${text}: ${warning}`);
  const value = loaded.value.values[key];
  return ok(objects.map((object) => {
    if (object.kind !== 'ConfigMap' || object.metadata?.name !== 'fairlead-config') return object;
    const texts = object['data'] as Readonly<Record<string, string>>;
    const settings = flattenSettings((parse(texts['config.yaml'] ?? '') ?? {}) as SettingValues);
    const config = yamlOf(nested({ ...settings, [key]: value }));
    return { ...object, data: { ...texts, 'config.yaml': config } };
  }));
}

/** The reverse of `flattenSettings`: groups as mappings. */
function nested(flat: SettingValues): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(flat)) {
    const path = key.split('.');
    const last = path.pop() ?? key;
    let group = root;
    for (const part of path) {
      group[part] ??= {};
      group = group[part] as Record<string, unknown>;
    }
    group[last] = value;
  }
  return root;
}
