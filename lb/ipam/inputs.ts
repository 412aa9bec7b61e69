import type { Labels, Service } from '../model.ts';
import { readAnnotations, type InputWarning } from './annotations.ts';
import { ownerOf, type Ownership } from './owner.ts';
import { readRequest, type Request } from './request.ts';
import type { IpamSettings } from './settings.ts';
import { sharingOf, type Sharing } from './sharing.ts';

/** Everything that a plan reads from a Service's spec and metadata; its status is not in it. */
export interface ServiceInputs {
  readonly ownership: Ownership;
  readonly request: Request;
  readonly sharing: Sharing;
  /** Labels as pool selectors see them. */
  readonly labels: Labels;
  readonly warnings: readonly InputWarning[];
  readonly annotated: boolean;
}

export function inputsOf(service: Service, settings: IpamSettings): ServiceInputs {
  const annotations = readAnnotations(service);
  const faults = service.faults.map(({ path, message }): InputWarning => {
    return { reason: 'malformed_object', message: `${path}: ${message}` };
  });
  return {
    ownership: ownerOf(service, settings),
    request: readRequest(service, annotations.ips, settings),
    sharing: sharingOf(service, annotations),
    labels: {
      ...service.meta.labels,
      // Set last, so that no tenant can enter another tenant's pool (lb-ipam.md 6).
      'io.kubernetes.service.name': service.meta.name,
      'io.kubernetes.service.namespace': service.meta.namespace,
    },
    warnings: [...faults, ...annotations.warnings],
    annotated: annotations.any,
  };
}

/** True when a plan would read the same from both: only then is a Service unchanged. */
export function sameInputs(left: Service, right: Service): boolean {
  if (left === right) return true;
  return left.type === right.type
    && left.meta.deleting === right.meta.deleting
    && left.loadBalancerClass === right.loadBalancerClass
    && left.loadBalancerIp === right.loadBalancerIp
    && left.ipFamilyPolicy === right.ipFamilyPolicy
    && left.externalTrafficPolicy === right.externalTrafficPolicy
    && sameTexts(left.ipFamilies, right.ipFamilies)
    && sameTexts(left.ports.map(portText), right.ports.map(portText))
    && sameTexts(left.faults.map(faultText), right.faults.map(faultText))
    && sameLabels(left.selector, right.selector)
    && sameLabels(left.meta.labels, right.meta.labels)
    && sameLabels(left.meta.annotations, right.meta.annotations);
}

function portText(port: { readonly protocol: string; readonly port: number }): string {
  return `${port.protocol}/${port.port}`;
}

function faultText(fault: { readonly path: string; readonly message: string }): string {
  return `${fault.path}: ${fault.message}`;
}

function sameTexts(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((text, index) => text === right[index]);
}

export function sameLabels(left: Labels, right: Labels): boolean {
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length
    && keys.every((key) => left[key] === right[key] && key in right);
}
