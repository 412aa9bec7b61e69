import { hostname } from 'node:os';

/** A text among checked settings; undefined where there is none, or an empty one. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Name of the Node object of this machine. */
export function nodeNameOf(values: Readonly<Record<string, unknown>>): string {
  return textOf(values['nodeName']) ?? hostname();
}

/** A list of texts among checked settings. */
export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

/** Where a server of this process listens. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** `host:port` of a setting; the host may be empty, or in brackets. Undefined: off. */
export function placeOf(value: unknown): Place | undefined {
  const text = textOf(value);
  if (text === undefined) return undefined;
  const [, six, four, digits] = /^(?:\[([^\]]+)\]|([^:]*)):([0-9]{1,5})$/u.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return { host: six ?? (four === undefined || four === '' ? '::' : four), port: Number(digits) };
}
