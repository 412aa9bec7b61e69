import type { Fault } from '../lb/model.ts';
import { compareText } from '../lb/table.ts';
import { nameOf } from './foldermodel.ts';
import type { ManifestObject, Position } from '../kube/manifest.ts';

/** One thing that is wrong with a folder of manifests (interface.md 4.7). */
export interface Finding extends Position {
  readonly file: string;
  readonly severity: 'error' | 'warning';
  /** The controller's word for it, where the controller would say it too. */
  readonly code: string;
  /** Absent for a text that is no object. */
  readonly kind?: string;
  readonly object?: string;
  /** From the object's root; empty: the object as a whole. */
  readonly path: string;
  readonly message: string;
}

export interface Complaint {
  readonly severity: Finding['severity'];
  readonly code: string;
  readonly path: string;
  readonly message: string;
}

/** A complaint about an object, with its place in the file. */
export function findingAt(place: ManifestObject, complaint: Complaint): Finding {
  const { kind } = place.object;
  return {
    file: place.file,
    ...place.positionOf(complaint.path),
    ...complaint,
    ...(kind === undefined ? {} : { kind }),
    object: nameOf(place),
  };
}

/** Splits `spec.blocks[0]: start is above stop` as conditions write it; without one, no path. */
export function splitPath(message: string): { readonly path: string; readonly message: string } {
  const match = /^((?:spec|metadata|status)(?:\[[^\]]*\]|[^\s:[])*): (.*)$/su.exec(message);
  if (match === null) return { path: '', message };
  return { path: match[1] ?? '', message: match[2] ?? '' };
}

/** By file, place and code: the order of a compiler's messages. */
export function compareFindings(left: Finding, right: Finding): number {
  return compareText(left.file, right.file) || left.line - right.line ||
    left.column - right.column || compareText(left.code, right.code) ||
    compareText(left.message, right.message);
}

/** `spec.ports[0].port: expected …`; a fault of the object as a whole has no path. */
export function faultText({ path, message }: Fault): string {
  return path === '' ? message : `${path}: ${message}`;
}
