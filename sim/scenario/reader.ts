import type { Fault } from '../../lb/model.ts';
import type { Micros } from '../../lb/ports.ts';
import { compareText } from '../../lb/table.ts';
import { parseDuration, parseRatio } from './quantity.ts';

/**
 * Reads one mapping of a scenario file strictly: each wrong value and, on `finish`, each field that
 * nobody asked for is a fault with its path. A faulty field reads as absent.
 */
export class Reader {
  readonly path: string;
  readonly faults: Fault[];
  #fields: Readonly<Record<string, unknown>>;
  #asked = new Set<string>();

  constructor(value: unknown, path: string, faults: Fault[]) {
    this.path = path;
    this.faults = faults;
    if (isMapping(value)) {
      this.#fields = value;
      return;
    }
    this.#fields = {};
    if (value !== undefined && value !== null) this.fault('', 'expected a mapping');
  }

  fault(field: string, message: string): void {
    this.faults.push({ path: this.at(field), message });
  }

  at(field: string): string {
    if (field === '') return this.path;
    return this.path === '' ? field : `${this.path}.${field}`;
  }

  has(field: string): boolean {
    return this.#fields[field] !== undefined;
  }

  raw(field: string): unknown {
    this.#asked.add(field);
    return this.#fields[field];
  }

  text(field: string): string | undefined {
    const value = this.raw(field);
    if (value === undefined || typeof value === 'string') return value;
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    this.fault(field, 'expected text');
    return undefined;
  }

  /** A whole number of at least 0. */
  count(field: string): number | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    this.fault(field, 'expected a whole number');
    return undefined;
  }

  integer(field: string): number | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
    this.fault(field, 'expected a whole number, negative allowed');
    return undefined;
  }

  flag(field: string): boolean | undefined {
    const value = this.raw(field);
    if (value === undefined || typeof value === 'boolean') return value;
    this.fault(field, 'expected true or false');
    return undefined;
  }

  /** A duration with a unit, `10s`; the bare number 0 is taken too. */
  duration(field: string): Micros | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    if (value === 0) return 0;
    return this.durationOf(typeof value === 'string' ? value : '', field);
  }

  /** A duration that stands inside the text of `field`. */
  durationOf(text: string, field: string): Micros | undefined {
    const parsed = parseDuration(text);
    if (parsed === undefined) this.fault(field, 'expected a duration with a unit, such as 10s');
    return parsed;
  }

  /** Parts per million, from `3%` or `30000ppm`. */
  ratio(field: string): number | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    const parsed = typeof value === 'string' ? parseRatio(value) : undefined;
    if (parsed === undefined) this.fault(field, 'expected a ratio, such as 3% or 30000ppm');
    return parsed;
  }

  oneOf<T extends string>(field: string, allowed: readonly T[]): T | undefined {
    const value = this.text(field);
    if (value === undefined) return undefined;
    const found = allowed.find((candidate) => candidate === value);
    if (found === undefined) this.fault(field, `expected one of ${allowed.join(', ')}`);
    return found;
  }

  child(field: string): Reader {
    return new Reader(this.raw(field), this.at(field), this.faults);
  }

  /** The items of a list, each with its path; an absent list is empty. */
  list<T>(field: string, read: (value: unknown, path: string) => T | undefined): T[] {
    const value = this.raw(field);
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) {
      this.fault(field, 'expected a list');
      return [];
    }
    return value.flatMap((item: unknown, index) => {
      const taken = read(item, `${this.at(field)}[${index}]`);
      return taken === undefined ? [] : [taken];
    });
  }

  /** As `list`, and a single item may stand without a list around it. */
  oneOrMore<T>(field: string, read: (value: unknown, path: string) => T | undefined): T[] {
    const value = this.raw(field);
    if (value === undefined || Array.isArray(value)) return this.list(field, read);
    const taken = read(value, this.at(field));
    return taken === undefined ? [] : [taken];
  }

  readers(field: string): Reader[] {
    return this.list(field, (value, path) => new Reader(value, path, this.faults));
  }

  /** Texts of a list, or one text without a list around it. */
  texts(field: string): string[] {
    return this.oneOrMore(field, (value, path) => {
      if (typeof value === 'string') return value;
      this.faults.push({ path, message: 'expected text' });
      return undefined;
    });
  }

  /** Names of all present fields, sorted. */
  names(): string[] {
    return Object.keys(this.#fields).sort(compareText);
  }

  /** Reports every field that was never asked for. */
  finish(): void {
    for (const field of this.names()) {
      if (!this.#asked.has(field)) this.fault(field, 'unknown field');
    }
  }
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
