import type { Labels, Service } from '../model.ts';

/** One thing about a Service's input that was not taken as written. */
export interface InputWarning {
  readonly reason: 'malformed_object' | 'invalid_annotation' | 'unknown_annotation';
  readonly message: string;
}

interface Annotation {
  readonly key: string;
  readonly alias: string | undefined;
}

const ips = known('ips', 'io.cilium/lb-ipam-ips');
const sharingKey = known('sharing-key', 'io.cilium/lb-ipam-sharing-key');
const crossNamespace = known(
  'sharing-cross-namespace', 'io.cilium/lb-ipam-sharing-cross-namespace',
);
const permitDifferentPods = known('sharing-permit-different-pods', undefined);

const knownKeys: ReadonlySet<string> = new Set(
  [ips, sharingKey, crossNamespace, permitDifferentPods]
    .flatMap(({ key, alias }) => (alias === undefined ? [key] : [key, alias])),
);

function known(name: string, alias: string | undefined): Annotation {
  return { key: `lbipam.cilium.io/${name}`, alias };
}

// The key wins if it is present, even empty; the alias is read only when the key is absent.
function read(annotations: Labels, { key, alias }: Annotation): string {
  return annotations[key] ?? (alias === undefined ? undefined : annotations[alias]) ?? '';
}

/** The annotations of LB IPAM as values (lb-ipam.md 2.2). */
export interface IpamAnnotations {
  /** Trimmed items of the address list, empty ones skipped, not yet parsed. */
  readonly ips: readonly string[];
  /** Empty: no key. */
  readonly sharingKey: string;
  readonly namespaces: ReadonlySet<string>;
  readonly everyNamespace: boolean;
  readonly differentPods: boolean;
  readonly warnings: readonly InputWarning[];
  /** True when any annotation of LB IPAM stands on the Service, legal or not. */
  readonly any: boolean;
}

const noAnnotations: IpamAnnotations = {
  ips: [], sharingKey: '', namespaces: new Set(), everyNamespace: false, differentPods: false,
  warnings: [], any: false,
};

export function readAnnotations(service: Service): IpamAnnotations {
  const { annotations } = service.meta;
  const ours = Object.keys(annotations).filter(isOurs);
  if (ours.length === 0) return noAnnotations;
  const namespaces = items(read(annotations, crossNamespace));
  const differentPods = readFlag(read(annotations, permitDifferentPods));
  const malformed = namespaces.filter((name) => name !== '*' && !namespaceName.test(name));
  const warnings: InputWarning[] = [];
  for (const name of malformed) {
    const key = annotationShown(annotations, crossNamespace);
    warnings.push(badValue(key, `'${name}' is no namespace`));
  }
  if (differentPods === undefined) {
    const text = `'${read(annotations, permitDifferentPods)}' is neither true nor false`;
    warnings.push(badValue(permitDifferentPods.key, text));
  }
  for (const key of ours.filter((name) => !knownKeys.has(name)).sort(compareKeys)) {
    warnings.push({ reason: 'unknown_annotation', message: `${key} is unknown and has no effect` });
  }
  return {
    ips: items(read(annotations, ips)),
    sharingKey: read(annotations, sharingKey),
    namespaces: new Set(namespaces.filter((name) => namespaceName.test(name))),
    everyNamespace: namespaces.includes('*'),
    differentPods: differentPods ?? false,
    warnings,
    any: true,
  };
}

const namespaceName = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/u;

function isOurs(key: string): boolean {
  return key.startsWith('lbipam.cilium.io/') || key.startsWith('io.cilium/lb-ipam-');
}

function compareKeys(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function annotationShown(annotations: Labels, annotation: Annotation): string {
  return annotation.key in annotations ? annotation.key : annotation.alias ?? annotation.key;
}

function badValue(key: string, text: string): InputWarning {
  return { reason: 'invalid_annotation', message: `${key}: ${text}` };
}

function items(text: string): readonly string[] {
  if (text === '') return [];
  return text.split(',').map((item) => item.trim()).filter((item) => item !== '');
}

// As Go's strconv.ParseBool; absent and empty are false.
function readFlag(text: string): boolean | undefined {
  if (['', '0', 'f', 'F', 'false', 'False', 'FALSE'].includes(text)) return false;
  if (['1', 't', 'T', 'true', 'True', 'TRUE'].includes(text)) return true;
  return undefined;
}
