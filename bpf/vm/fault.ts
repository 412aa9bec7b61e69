import type { Place } from './btf.ts';

/** Why a program was stopped. A kernel's verifier refuses programs that can do any of these. */
export type FaultCause =
  /** An access outside every object that the program may touch, or a write to what is read-only. */
  | { readonly kind: 'out-of-bounds'; readonly address: number; readonly access: string }
  /** An access to a map value, or a ring record, that the program or the host has freed. */
  | { readonly kind: 'freed'; readonly address: number; readonly access: string }
  /** More instructions than `instructionsMax`. */
  | { readonly kind: 'budget' }
  /** Calls nested deeper than the stack. */
  | { readonly kind: 'stack' }
  /** A helper got a number where it needs a map, or a map of a kind that it does not take. */
  | { readonly kind: 'argument'; readonly helper: string }
  /** WebAssembly stopped it: in mode `fast` an access outside of the whole memory. */
  | { readonly kind: 'trap'; readonly text: string };

/** Where a fault happened. */
export interface FaultSite {
  /** The program that the host ran. */
  readonly program: string;
  /** The function that faulted: the program or one that it calls. */
  readonly function: string;
  /** Slot of the instruction in that function. */
  readonly slot: number;
  readonly place: Place | undefined;
}

/** A program did what no verified program does. Mode `checked` reports all of these. */
export class EngineFault extends Error {
  override readonly name = 'EngineFault';
  readonly reason: FaultCause;
  /** Undefined until the machine knows it, and for a fault inside of the host's own call. */
  site: FaultSite | undefined;

  constructor(reason: FaultCause) {
    super(describe(reason));
    this.reason = reason;
  }

  /** Says where; the message then ends with `in fl_from_pod, slot 12, from_pod.c:34`. */
  locate(site: FaultSite): void {
    this.site = site;
    const place = site.place === undefined ? '' : `, ${site.place.file}:${site.place.line}`;
    this.message = `${describe(this.reason)} in ${site.function}, slot ${site.slot}${place}`;
  }
}

function describe(reason: FaultCause): string {
  switch (reason.kind) {
    case 'out-of-bounds':
      return `${reason.access} out of bounds at 0x${reason.address.toString(16)}`;
    case 'freed':
      return `${reason.access} of freed memory at 0x${reason.address.toString(16)}`;
    case 'budget': return 'the instruction budget is spent';
    case 'stack': return 'calls nest too deep';
    case 'argument': return `bad argument of ${reason.helper}`;
    case 'trap': return reason.text;
  }
}
