import { parse } from 'yaml';
import { kindSchemas } from '../../kube/schema/kinds.ts';
import { definitionOf } from '../../kube/schema/crd.ts';
import type { KubeObject } from '../../kube/port.ts';
import { clientVersion } from '../version.ts';
import { profiles, type Profile } from '../install.ts';
import { yamlOf, type WrittenFile } from './files.ts';
import { buildKustomization } from './kustomize.ts';
import { profileFolder } from './profile.ts';
import { valuesSchema } from './valuesschema.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What the chart lets a release choose; `profiles/` holds the choices of each overlay. */
interface Values {
  readonly image: string;
  readonly imagePullPolicy: string;
  /** Settings, as in fairlead-config. */
  readonly config: Fields;
  readonly agent: {
    readonly capabilities: readonly string[];
    readonly seccompProfile: string;
    readonly hostPID: boolean;
  };
  readonly controller: { readonly replicas: number };
  readonly bgp: { readonly secretsAccess: boolean; readonly secrets: readonly string[] };
  readonly monitoring: { readonly enabled: boolean };
  readonly strict: { readonly enabled: boolean };
}

const folder = 'kind/chart/fairlead';
const head = '# Written by `npm run manifests` from kind/base and kind/overlays; edit those.\n';

/** Parts that a profile adds as a whole, with the value that switches them on. */
const additions = [
  { profile: 'bgp', condition: '.Values.bgp.secretsAccess' },
  { profile: 'monitoring', condition: '.Values.monitoring.enabled' },
  { profile: 'strict', condition: '.Values.strict.enabled' },
] as const;

/** Both charts: of the workloads, and of the definitions, so that neither deletes the other's. */
export function chartFiles(): WrittenFile[] {
  const base = buildKustomization(profileFolder('base')).filter(isOfChart);
  const usual = valuesOf(base);
  const templates = base.map((object) => template(object, undefined));
  for (const { profile, condition } of additions) {
    const more = buildKustomization(profileFolder(profile)).filter((object) => (
      isOfChart(object) && !base.some((one) => fileName(one) === fileName(object))
    ));
    templates.push(...more.map((object) => template(object, condition)));
  }
  const overlays = profiles.filter((profile) => profile !== 'base').map((profile) => ({
    path: `${folder}/profiles/${profile}.yaml`,
    text: head + yamlOf(difference(valuesOfProfile(profile), usual)),
  }));
  return [
    chart(folder, { name: 'fairlead', about: 'Addresses for Services outside a cloud' }),
    { path: `${folder}/values.yaml`, text: head + yamlOf(usual) },
    {
      path: `${folder}/values.schema.json`,
      text: `${JSON.stringify(valuesSchema(), undefined, 2)}\n`,
    },
    ...templates, ...overlays, ...definitionChart(),
  ];
}

function definitionChart(): WrittenFile[] {
  const own = `${folder}-crds`;
  return [
    chart(own, { name: 'fairlead-crds', about: 'Definitions of the eight kinds of cilium.io' }),
    ...kindSchemas.map((schema) => ({
      path: `${own}/templates/${schema.plural}.yaml`, text: head + yamlOf(definitionOf(schema)),
    })),
  ];
}

function chart(
  path: string, { name, about }: { readonly name: string; readonly about: string },
): WrittenFile {
  const version = clientVersion();
  return {
    path: `${path}/Chart.yaml`,
    text: head + yamlOf({
      apiVersion: 'v2', name, description: about, type: 'application', version,
      appVersion: version, kubeVersion: '>=1.29.0-0',
    }),
  };
}

// A release makes its namespace itself, and definitions have a chart of their own.
function isOfChart({ kind }: KubeObject): boolean {
  return kind !== 'Namespace' && kind !== 'CustomResourceDefinition';
}

function fileName({ kind = '', metadata }: KubeObject): string {
  return `${metadata?.name ?? ''}-${kind.toLowerCase()}.yaml`;
}

/** Texts of a manifest that stand for values, in the order in which they are replaced. */
const places: readonly (readonly [RegExp, string])[] = [
  // What Prometheus and Grafana are to expand is no template of Helm's.
  [/\{\{/gu, '{{ "{{" }}'],
  [/fairlead-system/gu, '{{ .Release.Namespace }}'],
  [/(?<=\n +image: ).*/gu, '{{ .Values.image }}'],
  [/(?<=\n +imagePullPolicy: ).*/gu, '{{ .Values.imagePullPolicy }}'],
  [/(?<=\n {2}replicas: ).*/gu, '{{ .Values.controller.replicas }}'],
  [/(?<=\n +hostPID: ).*/gu, '{{ .Values.agent.hostPID }}'],
  [/(?<=\n +add:)(?:\n +- .*)+/gu, ' {{ toJson .Values.agent.capabilities }}'],
  [
    /(?<=\n {2}config\.yaml: )\|\n(?: {4}.*\n)+/gu,
    '|\n    {{- toYaml .Values.config | nindent 4 }}\n',
  ],
];

function template(object: KubeObject, condition: string | undefined): WrittenFile {
  let text = places.reduce((before, [pattern, to]) => before.replace(pattern, to), yamlOf(object));
  if (object.kind === 'DaemonSet') {
    text = text.replace(
      /(?<=seccompProfile:\n +type: ).*/u, '{{ .Values.agent.seccompProfile }}',
    );
  }
  if (object.metadata?.name === 'fairlead-bgp-secrets' && object.kind === 'Role') {
    const names = 'resourceNames: {{ toJson .Values.bgp.secrets }}';
    const named = `\n    {{- if .Values.bgp.secrets }}\n    ${names}\n    {{- end }}`;
    text = text.replace(/(?=\n +verbs:)/u, named);
  }
  const whole = condition === undefined ? text : `{{- if ${condition} }}\n${text}{{- end }}\n`;
  return { path: `${folder}/templates/${fileName(object)}`, text: head + whole };
}

/** The values under which the chart gives a profile. */
function valuesOfProfile(profile: Profile): Values {
  return valuesOf(buildKustomization(profileFolder(profile)));
}

function valuesOf(objects: readonly KubeObject[]): Values {
  const named = (kind: string, name: string): unknown => (
    objects.find((object) => object.kind === kind && object.metadata?.name === name)
  );
  const { spec: { template: { spec: agent } } } = named('DaemonSet', 'fairlead-agent') as Workload;
  const { spec: { replicas = 1 } } = named('Deployment', 'fairlead-controller') as Workload;
  const { data: texts } = named('ConfigMap', 'fairlead-config') as { readonly data: Texts };
  const { image, imagePullPolicy, securityContext } = agent.containers[0];
  return {
    image, imagePullPolicy,
    config: parse(texts['config.yaml'] ?? '') as Fields,
    agent: {
      capabilities: securityContext.capabilities.add,
      seccompProfile: securityContext.seccompProfile.type,
      hostPID: agent.hostPID,
    },
    controller: { replicas },
    bgp: { secretsAccess: named('Role', 'fairlead-bgp-secrets') !== undefined, secrets: [] },
    monitoring: { enabled: named('PodMonitor', 'fairlead') !== undefined },
    strict: { enabled: objects.some(({ kind }) => kind === 'ValidatingAdmissionPolicy') },
  };
}

type Texts = Readonly<Record<string, string>>;

/** As far as our own workloads are read here. */
interface Workload {
  readonly spec: {
    readonly replicas?: number;
    readonly template: {
      readonly spec: { readonly hostPID: boolean; readonly containers: readonly [Container] };
    };
  };
}

interface Container {
  readonly image: string;
  readonly imagePullPolicy: string;
  readonly securityContext: {
    readonly capabilities: { readonly add: readonly string[] };
    readonly seccompProfile: { readonly type: string };
  };
}

/** The parts of `values` that differ from `usual`, groups one by one. */
function difference(values: object, usual: object): Record<string, unknown> {
  const before = usual as Fields;
  return Object.fromEntries(Object.entries(values).flatMap(([key, value]): [string, unknown][] => {
    if (JSON.stringify(value) === JSON.stringify(before[key])) return [];
    const group = typeof value === 'object' && value !== null && !Array.isArray(value);
    return [[key, group ? difference(value as object, (before[key] ?? {}) as object) : value]];
  }));
}
