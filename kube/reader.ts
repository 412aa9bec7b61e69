import type { Fault, Labels } from '../lb/model.ts';
import type { Json } from './port.ts';

type Fields = { readonly [key: string]: Json };

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/**
 * One JSON object and where it stands, to read typed fields from. A field of the wrong type leaves
 * a fault with its path and counts as unset; absent and null are both unset and no fault.
 * Paths are spelled only when a fault needs one, so a good object costs no text.
 */
export class Reader {
  readonly #fields: Fields;
  readonly #parent: Reader | undefined;
  readonly #step: string;
  readonly #faults: Fault[];

  private constructor(fields: Fields, step: string, context: Reader | Fault[]) {
    this.#fields = fields;
    this.#step = step;
    this.#parent = context instanceof Reader ? context : undefined;
    this.#faults = context instanceof Reader ? context.#faults : context;
  }

  /** A reader of a whole object; faults go to `faults`. Undefined and a fault for anything else. */
  static of(value: unknown, faults: Fault[]): Reader | undefined {
    if (isFields(value)) return new Reader(value, '', faults);
    faults.push({ path: '', message: `expected an object, got ${excerpt(value)}` });
    return undefined;
  }

  /** The value as it stands, unjudged; undefined when unset. */
  raw(key: string): Json | undefined {
    const value = Object.hasOwn(this.#fields, key) ? this.#fields[key] : undefined;
    return value === null ? undefined : value;
  }

  text(key: string): string | undefined {
    const value = this.raw(key);
    if (value === undefined || typeof value === 'string') return value;
    this.refuse(key, `expected text, got ${excerpt(value)}`);
    return undefined;
  }

  flag(key: string): boolean | undefined {
    const value = this.raw(key);
    if (value === undefined || typeof value === 'boolean') return value;
    this.refuse(key, `expected true or false, got ${excerpt(value)}`);
    return undefined;
  }

  integer(key: string, bounds: Bounds): number | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isInteger(value)) {
      if (value >= bounds.min && value <= bounds.max) return value;
    }
    this.refuse(key, `expected integer ${bounds.min}..${bounds.max}, got ${excerpt(value)}`);
    return undefined;
  }

  /** One of `choices`. */
  choice<T extends string>(key: string, choices: readonly T[]): T | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    this.refuse(key, `expected one of ${choices.join(', ')}, got ${excerpt(value)}`);
    return undefined;
  }

  /** A nested object. */
  child(key: string): Reader | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (isFields(value)) return new Reader(value, key, this);
    this.refuse(key, `expected an object, got ${excerpt(value)}`);
    return undefined;
  }

  /**
   * `make` of each object in a list, in order; an item that is no object, or makes none, is left
   * out. With `otherwise`, that stands for what is no object, and for the list if it is none.
   */
  items<T>(key: string, make: (item: Reader) => T | undefined, otherwise?: T): T[] {
    const made: T[] = [];
    const list = this.#list(key);
    if (list === undefined) return otherwise === undefined ? made : [otherwise];
    for (let index = 0; index < list.length; index += 1) {
      const item = this.#item(key, index, list[index]);
      const value = item === undefined ? otherwise : make(item);
      if (value !== undefined) made.push(value);
    }
    return made;
  }

  /** A list of texts; other items are faults and left out. */
  texts(key: string): string[] {
    const texts: string[] = [];
    for (const [index, value] of (this.#list(key) ?? []).entries()) {
      if (typeof value === 'string') texts.push(value);
      else this.refuse(`${key}[${index}]`, `expected text, got ${excerpt(value)}`);
    }
    return texts;
  }

  /** A map of texts; the stored map itself, shared, when every value is text. */
  labels(key: string): Labels {
    const value = this.raw(key);
    if (value === undefined) return {};
    if (isLabels(value)) return value;
    if (!isFields(value)) {
      this.refuse(key, `expected an object, got ${excerpt(value)}`);
      return {};
    }
    const good: [string, string][] = [];
    for (const [name, text] of Object.entries(value)) {
      if (typeof text === 'string') good.push([name, text]);
      else this.refuse(join(key, name), `expected text, got ${excerpt(text)}`);
    }
    return Object.fromEntries(good);
  }

  /** Reports a fault at `key`; an empty key means this object itself. */
  refuse(key: string, message: string): void {
    this.#faults.push({ path: this.#path(key), message });
  }

  #list(key: string): readonly Json[] | undefined {
    const value = this.raw(key);
    if (value === undefined) return [];
    if (isList(value)) return value;
    this.refuse(key, `expected a list, got ${excerpt(value)}`);
    return undefined;
  }

  #item(key: string, index: number, value: Json | undefined): Reader | undefined {
    const step = `${key}[${index}]`;
    if (isFields(value)) return new Reader(value, step, this);
    this.refuse(step, `expected an object, got ${excerpt(value)}`);
    return undefined;
  }

  #path(key: string): string {
    if (this.#parent === undefined) return key;
    return this.#parent.#path(key === '' ? this.#step : `${this.#step}.${key}`);
  }
}

const plainKey = /^[A-Za-z_][A-Za-z0-9_]*$/u;

/** `spec` and `type` make `spec.type`; a key that is no plain word stands in brackets. */
export function join(path: string, key: string): string {
  if (!plainKey.test(key)) return `${path}[${key}]`;
  return path === '' ? key : `${path}.${key}`;
}

/** A value in a message: JSON, cut to what a line can bear. */
export function excerpt(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = isList(value) ? 'a list' : isFields(value) ? 'an object' : JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

function isList(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}

/** True for a JSON object: neither a list nor null. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isLabels(value: Json): value is Labels {
  return isFields(value) && Object.values(value).every((text) => typeof text === 'string');
}
